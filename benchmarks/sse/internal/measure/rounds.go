//go:build linux

package measure

import "slices"

// Rounds has what was measured of each contestant, one value a round, nil if the measure failed.
type Rounds[T any] map[string][]*T

// median returns the median over the rounds of a figure of one contestant, and whether there is one.
func (r Rounds[T]) median(name string, figure func(*T) float64) (float64, bool) {
	var figures []float64
	for _, result := range r[name] {
		if result != nil {
			figures = append(figures, figure(result))
		}
	}

	return median(figures)
}

// ratio returns the median over the rounds of the ratio between the figures of two contestants in the same round.
func (r Rounds[T]) ratio(name, to string, figure func(*T) float64) (float64, bool) {
	var ratios []float64
	for i, result := range r[name] {
		if i < len(r[to]) && result != nil && r[to][i] != nil && figure(r[to][i]) != 0 {
			ratios = append(ratios, figure(result)/figure(r[to][i]))
		}
	}

	return median(ratios)
}

// any reports whether a condition holds for a contestant in any round.
func (r Rounds[T]) any(name string, so func(*T) bool) bool {
	return slices.ContainsFunc(r[name], func(result *T) bool { return result != nil && so(result) })
}

func median(figures []float64) (float64, bool) {
	if len(figures) == 0 {
		return 0, false
	}
	slices.Sort(figures)
	middle := len(figures) / 2
	if len(figures)%2 == 1 {
		return figures[middle], true
	}

	return (figures[middle-1] + figures[middle]) / 2, true
}
