package live

import (
	_ "embed" // the stations
	"encoding/json"
	"fmt"
	"strings"
)

// stationsJSON has what posts pass, in their order. Texts and places in the code are those of the posts of a first start.
//
//go:embed stations.json
var stationsJSON []byte

// Station is a part that posts pass, as the page shows it.
type Station struct {
	Name string `json:"name"`
	// Does says what it does, and why.
	Does string `json:"does"`
	// Runs is on what it runs here, and Else by what that is replaced.
	Runs string `json:"runs"`
	Else string `json:"else"`
	Code []Code `json:"code"`
	// Service is the container of docker-compose.yml that it runs in. Optional.
	Service string `json:"service,omitempty"`
	// Try is a command for a shell, in which {url} stands for the address of the microblog. Optional.
	Try string `json:"try,omitempty"`
}

// Code is a place in the repository. Name is declared in File, and is "Type.Method" for a method.
type Code struct {
	File string `json:"file"`
	Name string `json:"name"`
}

// told is a Station in stations.json.
type told struct {
	Station

	Posts []struct {
		Title string `json:"title"`
		Text  string `json:"text"`
		Tags  string `json:"tags"`
		Code  []Code `json:"code"`
	} `json:"posts"`
	// Embedded and Served are what is different in this process and on the kind of server, and Postgres on PostgreSQL.
	Server   string          `json:"server"`
	Embedded json.RawMessage `json:"embedded"`
	Served   json.RawMessage `json:"served"`
	Postgres json.RawMessage `json:"postgres"`
}

func readStations() (stations []told, err error) {
	if err := json.Unmarshal(stationsJSON, &stations); err != nil {
		return nil, fmt.Errorf("read the stations: %w", err)
	}
	return stations, nil
}

// Stations returns what posts pass. on reports whether a part runs on a kind of server: "mysql", "mongodb",
// "nats" or "postgres".
func Stations(on func(server string) bool) ([]Station, error) {
	told, err := readStations()
	if err != nil {
		return nil, err
	}
	stations := make([]Station, len(told))
	for i, t := range told {
		texts := make([]string, len(t.Posts))
		for j, p := range t.Posts {
			texts[j] = p.Text
			t.Code = append(t.Code, p.Code...)
		}
		t.Does = strings.Join(texts, " ")
		differs := t.Embedded
		if on(t.Server) {
			differs = t.Served
		} else if t.Postgres != nil && on("postgres") {
			differs = t.Postgres
		}
		if differs != nil {
			if err := json.Unmarshal(differs, &t.Station); err != nil {
				return nil, fmt.Errorf("read station %s: %w", t.Name, err)
			}
		}
		stations[i] = t.Station
	}
	return stations, nil
}
