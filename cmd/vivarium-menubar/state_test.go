package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/loginitem"
)

type items struct {
	state loginitem.State
	err   error
	asked string
}

func (i *items) answer(what string) (loginitem.State, error) {
	i.asked = what
	return i.state, i.err
}

func (i *items) State() (loginitem.State, error)             { return i.answer("state") }
func (i *items) Register() (loginitem.State, error)          { return i.answer("register") }
func (i *items) Unregister() (loginitem.State, error)        { return i.answer("unregister") }
func (i *items) Legacy(file string) (loginitem.State, error) { return i.answer(file) }

func TestWhatMacOSSaysOfTheLoginItemIsALineOfJSON(t *testing.T) {
	for _, c := range []struct {
		what, asked string
		state       loginitem.State
		err         error
		want        string
	}{
		{"status", "state", loginitem.Enabled, nil, `{"means":"on","state":1}`},
		{"register", "register", loginitem.NotFound, errors.New("not permitted"), `{"means":"unknown to macOS","problem":"not permitted","state":3}`},
		{"unregister", "unregister", loginitem.NotRegistered, nil, `{"means":"off","state":0}`},
		{"/Users/a/x.plist", "/Users/a/x.plist", loginitem.RequiresApproval, nil, `{"means":"switched off in System Settings","state":2}`},
		{"status", "state", loginitem.Unavailable, nil, `{"means":"not available","state":-1}`},
		{"status", "state", loginitem.Failed, errors.New("NSException"), `{"means":"failed","problem":"NSException","state":-2}`},
	} {
		i := &items{state: c.state, err: c.err}
		var out bytes.Buffer
		require.NoError(t, tellLoginItem(i, c.what, &out))
		require.Equal(t, c.want+"\n", out.String())
		require.Equal(t, c.asked, i.asked)
	}
}

func TestWhetherNoticesAreAllowedIsALineOfJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, allowed := range map[string]func(context.Context) error{
			`{"allowed":true}`:                                            func(context.Context) error { return nil },
			`{"allowed":false,"problem":"denied"}`:                        func(context.Context) error { return errors.New("denied") },
			`{"allowed":false,"problem":"this program is not in an app"}`: nil,
			`{"allowed":false,"problem":"context deadline exceeded"}`: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			},
		} {
			var out bytes.Buffer
			require.NoError(t, tellNotices(t.Context(), allowed, &out))
			require.Equal(t, want+"\n", out.String())
		}
	})
}
