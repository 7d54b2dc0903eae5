package ssestream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// Profile is the state of a user's page, and ProfileChanged announces a new one.
type (
	Profile        struct{ User string }
	ProfileChanged struct{ User string }
)

// Session is a login on one device.
type Session struct {
	User  string
	Until time.Time
}

// Sessions are the sessions by the values of their cookies.
type Sessions struct {
	mu   sync.Mutex
	open map[string]Session
}

// Of returns the session of a request.
func (s *Sessions) Of(r *http.Request) (Session, bool) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return Session{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.open[cookie.Value]

	return session, ok
}

// End ends the session of a request.
func (s *Sessions) End(r *http.Request) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, cookie.Value)
}

// A logout ends the streams of the session, and leaves those of the user's other devices.
func ExampleRouter_Kick() {
	sessions := &Sessions{open: map[string]Session{
		"laptop": {User: "ann", Until: time.Now().Add(time.Hour)},
		"phone":  {User: "ann", Until: time.Now().Add(time.Hour)},
	}}
	adapter, err := ssestream.AdapterBuilder[ProfileChanged, Profile]{
		RequestKey: func(r *http.Request) (string, error) {
			session, ok := sessions.Of(r)
			if !ok {
				return "", &ssestream.StatusError{Status: http.StatusUnauthorized, Err: errors.New("log in first")}
			}
			return session.User, nil
		},
		Expires: func(r *http.Request) time.Time {
			session, _ := sessions.Of(r)
			return session.Until
		},
		EventKeys: func(e ProfileChanged) []string { return []string{e.User} },
		Load:      func(_ context.Context, user string) (Profile, error) { return Profile{User: user}, nil },
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		Principal: func(r *http.Request) string {
			session, _ := sessions.Of(r)
			return session.User
		},
		MaxClientsPerPrincipal: 20,
	}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /me", router.AddHandler("profile-changed", adapter))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		session, _ := sessions.Of(r)
		sessions.End(r) // first, so that nobody is authorized by it any more
		if err := router.Kick(r.Context(), ssestream.Kick{Principal: session.User, Authorize: true}); err != nil {
			http.Error(w, "streams may go on for a while", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	follow := func(device string) *ssestreamtest.Stream {
		stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/me",
			ssestreamtest.WithHeader("Cookie", "session="+device))
		if err != nil {
			panic(err)
		}
		event, err := stream.Next(context.Background())
		fmt.Println(device, event.Data, err)
		return stream
	}
	laptop, phone := follow("laptop"), follow("phone")
	defer laptop.Close()
	defer phone.Close()

	logout, err := http.NewRequest(http.MethodPost, server.URL+"/logout", http.NoBody)
	if err != nil {
		panic(err)
	}
	logout.AddCookie(&http.Cookie{Name: "session", Value: "laptop"})
	response, err := server.Client().Do(logout)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	_, err = laptop.Next(context.Background())
	fmt.Println("laptop:", err)
	fmt.Println("streams:", router.Stats().Clients)
	// Output:
	// laptop {"User":"ann"} <nil>
	// phone {"User":"ann"} <nil>
	// 204 No Content
	// laptop: EOF
	// streams: 1
}
