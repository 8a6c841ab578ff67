package control

import (
	"context"

	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/observation"
)

// Intents are what a person wants of one backend. They never block and never fail; what comes of them is told by a Snapshot.
type Intents interface {
	Start()
	Stop()
	Restart()
	TakeOver()
}

// Observer can say what the processes of a run do now.
type Observer interface {
	Stacks(ctx context.Context) (observation.Observation, error)
}

// Supervision is the supervisor of one backend: a *supervisor.Supervisor of this process, or a *Remote of another one.
type Supervision interface {
	Intents
	Hurry() // skips the grace of the stop that is under way
	Quit()  // a stop that is not remembered
	Look()  // somebody looks: fresh figures are worth their price
	Changed() <-chan supervisor.Snapshot
	Events() <-chan supervisor.Event
	// Run is the loop. It ends with ctx, and a Remote's also with its connection.
	Run(ctx context.Context) error
}
