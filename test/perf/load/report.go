// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// figure is one thing that was measured.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit,omitempty"`
	Median float64   `json:"median"`
	Values []float64 `json:"values"`
	// Aim is what is aimed for, in words.
	Aim string `json:"aim,omitempty"`
}

// report is all that was measured, in order.
type report struct {
	Machine string    `json:"machine"`
	Load    string    `json:"loadAverage"`
	Figures []*figure `json:"figures"`
}

// add adds a value of a round to a figure.
func (r *report) add(name, unit, aim string, value float64) {
	i := slices.IndexFunc(r.Figures, func(f *figure) bool { return f.Name == name })
	if i < 0 {
		i = len(r.Figures)
		r.Figures = append(r.Figures, &figure{Name: name, Unit: unit, Aim: aim})
	}
	f := r.Figures[i]
	f.Values = append(f.Values, value)
	sorted := slices.Sorted(slices.Values(f.Values))
	f.Median = sorted[len(sorted)/2]
}

// write prints the report, and writes it to a file where one is named.
func (r *report) write(path string) error {
	r.Machine = fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.Load = strings.TrimSpace(string(raw))
	}
	fmt.Printf("%s; load average at the end: %s\n\n| what | median | rounds | aim |\n| --- | --- | --- | --- |\n", r.Machine, r.Load)
	for _, f := range r.Figures {
		values := make([]string, len(f.Values))
		for i, v := range f.Values {
			values[i] = number(v)
		}
		fmt.Printf("| %s | %s %s | %s | %s |\n", f.Name, number(f.Median), f.Unit, strings.Join(values, ", "), f.Aim)
	}
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o600)
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// over compares the medians with a budget: names and the most that is allowed. What is
// not measured is above it.
func (r *report) over(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var budget map[string]float64
	if err := json.Unmarshal(raw, &budget); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var above []string
	for _, f := range r.Figures {
		most, ok := budget[f.Name]
		if ok {
			f.Aim = "≤ " + number(most)
		}
		if ok && f.Median > most {
			above = append(above, fmt.Sprintf("%s: %s, and the budget is %s", f.Name, number(f.Median), number(most)))
		}
		delete(budget, f.Name)
	}
	for name := range budget {
		above = append(above, name+": not measured")
	}
	if len(above) > 0 {
		return fmt.Errorf("above the budget of %s:\n  %s", path, strings.Join(above, "\n  "))
	}
	return nil
}
