// Package engine brings up the services that package docker describes, on the Docker engine of this
// machine, lends handles to break them, and removes every trace of them, unless the user wants to keep them ([Target.Keep]).
//
// testcontainers-go creates the containers; the Engine API client under it does what
// testcontainers has no word for (kill, pause, start again). Its reaper, Ryuk, is switched off: it is
// one more image to pull, which fails exactly where a registry cannot be reached. Instead every
// container is labelled with the process that owns it, and [Sweep], which each Start calls too,
// removes those whose owner died without a word.
//
// Addresses. A service listens on one TCP port of 127.0.0.1 for each scheme, chosen at Start outside the
// range from which the kernel draws ports by itself, and kept until Stop: a port that Docker chooses
// changes at each restart, and a drawn one may be taken by a device's own connection while the
// broker is down. Where the engine runs natively on this Linux, the container shares the host's
// network: Docker's userland proxy, which serves a published port on 127.0.0.1, holds six
// descriptors for each connection, so that with a limit of 20,000 it ended a fleet at device 3,332
// (measured). Elsewhere (Docker Desktop, rootless engines) the port is published, and that bound
// applies. An engine on another machine is refused: a broker there is an external target, and its
// address must be said.
//
// Ownership. The package starts no goroutine. A target is for one goroutine at a time; Stop may
// follow any state, any error and a cancelled context. Requests to the engine that undo something
// use their own time limits instead of the caller's context.
package engine
