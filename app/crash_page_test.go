package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor"
)

func TestEveryRecordHasItsPageMade(t *testing.T) {
	var made []string
	var fails error
	pages := func(_ context.Context, args ...string) (string, error) {
		made = append(made, strings.Join(args, " "))
		return "", fails
	}
	var said strings.Builder
	hook := Recorded(slog.New(slog.NewTextHandler(&said, nil)), "/s", pages)
	hook(supervisor.Record{Backend: "brain", File: "/s/b/1/crashes/a.json"})
	require.Equal(t, []string{"page /s/b/1/crashes/a.json"}, made)
	hook(supervisor.Record{Backend: "brain"})
	require.Len(t, made, 1, "what is not on disk has no place for a page")
	require.Empty(t, said.String())
	fails = errors.New("the disk is full")
	hook(supervisor.Record{Backend: "brain", File: "/s/b/1/crashes/b.json"})
	require.Contains(t, said.String(), "the report on a crash is not written")
	require.Contains(t, said.String(), "the disk is full")
	Recorded(nil, "/s", pages)(supervisor.Record{File: "/s/x.json"})
}

func TestWithoutTheCommandLineProgramThereIsNoPage(t *testing.T) {
	var missing *MissingError
	_, err := makePage(t.TempDir())(t.Context(), "page", "/x.json")
	require.ErrorAs(t, err, &missing)
}
