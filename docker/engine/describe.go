package engine

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/host"
)

// listeners chooses a port for each scheme that the service has to serve; the first is its first scheme. The
// ports that the service needs for itself, and the one for its figures, are chosen with them, so that no two are the
// same. figures is 0 where the service needs none.
func (t *Target) listeners(c *docker.Container) (list []docker.Listener, private []int, figures int, err error) {
	s, more := &c.Service, c.Private
	fetched := t.Figures && c.Figures.Fetched()
	if fetched {
		more++
	}
	list = []docker.Listener{{Scheme: s.Schemes[0]}}
	for _, scheme := range t.Schemes {
		known := slices.ContainsFunc(list, func(l docker.Listener) bool { return l.Scheme == scheme })
		if !known && s.Serves(scheme) {
			list = append(list, docker.Listener{Scheme: scheme})
		}
	}
	ports, err := host.FreePorts(len(list) + more)
	if err != nil {
		return nil, nil, 0, err
	}
	for i := range list {
		list[i].Port = ports[i]
	}
	private = ports[len(list) : len(list)+c.Private]
	if fetched {
		figures = ports[len(ports)-1]
	}
	return list, private, figures, nil
}

// imagesOf are the images that may serve as a container, for a version of [Target].
func imagesOf(c *docker.Container, version string) choice {
	switch version {
	case "":
		return choice{upstream: c.Image + ":" + c.Tag, local: c.Local}
	case VersionLocal:
		return choice{local: c.Local}
	}
	return choice{upstream: c.Image + ":" + version}
}

// endpoints are where the service listens.
func (b *box) endpoints() sim.Endpoints {
	at := make(sim.Endpoints)
	for _, l := range b.listeners {
		at[l.Scheme] = append(at[l.Scheme], loopback(l.Port))
	}
	return at
}

// lacking says which of the schemes that were asked for the image was built without; "" if its log says
// nothing of the kind.
func (b *box) lacking(ctx context.Context) string {
	log := b.lastWords(ctx)
	for _, lack := range b.what.Lacks {
		if !strings.Contains(log, lack.Says) {
			continue
		}
		for _, l := range b.listeners {
			if slices.Contains(lack.Schemes, l.Scheme) {
				return string(l.Scheme) + "://"
			}
		}
	}
	return ""
}

func (b *box) describe(ctx context.Context) map[string]string {
	r := &b.recipe
	facts := map[string]string{
		"address":  b.addr(),
		"image":    r.image.ref,
		"image_id": r.image.id,
		"source":   r.image.source,
		"network":  "the host's",
		"engine":   "Docker " + b.engine,
		"nofile":   strconv.FormatInt(descriptors(), 10),
	}
	if r.publish {
		facts["network"] = "published port"
	}
	if r.place != nil {
		facts["network"] = "of its own, as " + r.place.name + " at " + r.place.address.String()
	}
	if r.image.digest != "" {
		facts["digest"] = r.image.digest
	}
	for _, l := range b.listeners[1:] {
		facts[string(l.Scheme)+"_address"] = loopback(l.Port)
	}
	// The service's own word: a tag can be moved, and the local image's version is Debian's choice.
	if text, err := b.say(ctx, b.what.Version...); err == nil {
		if found := regexp.MustCompile(b.what.Banner).FindStringSubmatch(text); found != nil {
			facts["version"] = found[1]
		}
	}
	return facts
}
