package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/dashboard"
)

func TestOneDashboardIsServedForAStateFolderAndEachCallTellsItsAddress(t *testing.T) {
	state, dir := atHome(t)
	h, err := openHome()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- h.serveDashboard(ctx, "", func(url string) error { address <- url; return nil })
	}()
	first := <-address
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/#[A-Za-z0-9_-]{43}$`, first)
	host, secret, _ := strings.Cut(first, "/#")

	out, _, code := do(t, "dashboard", "--print")
	require.Zero(t, code)
	require.Equal(t, first+"\n", out)
	out, _, code = do(t, "dashboard", "--print", dir)
	require.Zero(t, code)
	require.Equal(t, host+"/b/"+dashboard.ID(dir)+"#"+secret+"\n", out, "a backend's part of it")

	out, _, code = do(t, "page", "--dashboard", "")
	require.Zero(t, code)
	require.Equal(t, filepath.Join(state, "dashboard.html")+"\n", out)
	text, err := os.ReadFile(strings.TrimSpace(out))
	require.NoError(t, err)
	require.Contains(t, string(text), secret)

	cancel()
	require.NoError(t, <-ended)
	require.NoFileExists(t, filepath.Join(state, "dashboard.html"), "what it leads to has ended")
	_, err = dashboard.Find(t.Context(), state, "")
	require.ErrorIs(t, err, dashboard.ErrNone)
}

func TestADashboardWhoseAddressNobodyReadsIsNotServed(t *testing.T) {
	atHome(t)
	h, err := openHome()
	require.NoError(t, err)
	closed := errors.New("the pipe is closed")
	require.ErrorIs(t, h.serveDashboard(t.Context(), "", func(string) error { return closed }), closed)
}
