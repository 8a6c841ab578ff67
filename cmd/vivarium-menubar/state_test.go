package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/login"
)

type items struct {
	state login.State
	err   error
	asked string
}

func (i *items) answer(what string) (login.State, error) {
	i.asked = what
	return i.state, i.err
}

func (i *items) State() (login.State, error)             { return i.answer("state") }
func (i *items) Register() (login.State, error)          { return i.answer("register") }
func (i *items) Unregister() (login.State, error)        { return i.answer("unregister") }
func (i *items) Legacy(file string) (login.State, error) { return i.answer(file) }

func TestWhatMacOSSaysOfTheLoginItemIsALineOfJSON(t *testing.T) {
	for _, c := range []struct {
		what, asked string
		state       login.State
		err         error
		want        string
	}{
		{"status", "state", login.Enabled, nil, `{"means":"on","state":1}`},
		{"register", "register", login.NotFound, errors.New("not permitted"), `{"means":"unknown to macOS","problem":"not permitted","state":3}`},
		{"unregister", "unregister", login.NotRegistered, nil, `{"means":"off","state":0}`},
		{"/Users/a/x.plist", "/Users/a/x.plist", login.RequiresApproval, nil, `{"means":"switched off in System Settings","state":2}`},
		{"status", "state", login.Unavailable, nil, `{"means":"not available","state":-1}`},
		{"status", "state", login.Failed, errors.New("NSException"), `{"means":"failed","problem":"NSException","state":-2}`},
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
