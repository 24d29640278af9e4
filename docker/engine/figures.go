package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/myriad-iot/myriad/docker"
)

// What a service may take to tell its figures, and how much it may tell. RabbitMQ tells some 60 kB.
const (
	figuresTimeout = 3 * time.Second
	maxFigures     = 4 << 20 // bytes
)

// Tell implements [sim.Telling], of services whose figures are fetched. [Target.Figures] must have been set.
func (t *Target) Tell(ctx context.Context, service string, told func(name string, value float64)) error {
	b, err := t.box(service)
	if err != nil {
		return err
	}
	return b.tell(ctx, told)
}

func (b *box) tell(ctx context.Context, told func(string, float64)) error {
	if b.figures == 0 {
		return errors.New("it was not started with a port for its figures")
	}
	ctx, cancel := context.WithTimeout(ctx, figuresTimeout)
	defer cancel()
	page, err := fetch(ctx, "http://"+loopback(b.figures)+b.what.Figures.Path)
	if err != nil {
		return fmt.Errorf("ask for its figures: %w", err)
	}
	read := readJSON
	if b.what.Figures.Form == docker.FiguresPrometheus {
		read = readPrometheus
	}
	if err := read(page, told); err != nil {
		return fmt.Errorf("read its figures: %w", err)
	}
	return nil
}

// fetch returns a page of this machine. No proxy of the user's is asked, and no connection is kept: the service may be
// frozen or killed between two pages.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	page, err := io.ReadAll(io.LimitReader(response.Body, maxFigures+1))
	if err == nil && len(page) > maxFigures {
		err = fmt.Errorf("%s is longer than %d MiB", url, maxFigures>>20)
	}
	return page, err
}
