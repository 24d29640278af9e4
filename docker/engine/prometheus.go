package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// Prometheus makes a Prometheus that reads these pages every second, at addresses of this machine. It is ready when it has
// read each of them. It keeps what it has read until it is stopped.
func Prometheus(pages []docker.Scrape, log *slog.Logger) *Target {
	return &Target{
		Name: "prometheus", Containers: []docker.Container{docker.Prometheus()}, Scrapes: pages, Log: log,
		Ready: func(ctx context.Context, at sim.Endpoints) error {
			page, err := fetch(ctx, "http://"+at.Of(sim.SchemeHTTP, 0)+"/api/v1/targets?state=active")
			if err != nil {
				return err
			}
			return allRead(page, len(pages))
		},
	}
}

// allRead is an error unless Prometheus says that it has read so many pages.
func allRead(said []byte, pages int) error {
	var answer struct {
		Data struct {
			Active []struct {
				URL    string `json:"scrapeUrl"`
				Health string `json:"health"`
				Error  string `json:"lastError"`
			} `json:"activeTargets"`
		} `json:"data"`
	}
	if err := json.Unmarshal(said, &answer); err != nil {
		return fmt.Errorf("what it says of its targets: %w", err)
	}
	for _, t := range answer.Data.Active {
		if t.Health != "up" {
			return fmt.Errorf("it has not read %s: %s", t.URL, cmp.Or(t.Error, t.Health))
		}
	}
	if n := len(answer.Data.Active); n != pages {
		return fmt.Errorf("it reads %d pages of %d", n, pages)
	}
	return nil
}

// Pages are those at which the services, which are started, tell their figures as Prometheus reads them. [Target.Figures]
// must have been set.
func (t *Target) Pages() []docker.Scrape {
	var list []docker.Scrape
	for _, b := range t.boxes {
		if b.figures > 0 && b.what.Figures.Form == docker.FiguresPrometheus {
			list = append(list, docker.Scrape{Job: b.what.Service.Name, Address: loopback(b.figures), Path: b.what.Figures.Path})
		}
	}
	return list
}
