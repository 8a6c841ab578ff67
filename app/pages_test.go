package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/supervisor/record"
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
	hook(record.Record{Backend: "brain", File: "/s/b/1/crashes/a.json"})
	require.Equal(t, []string{"page /s/b/1/crashes/a.json"}, made)
	hook(record.Record{Backend: "brain"})
	require.Len(t, made, 1, "what is not on disk has no place for a page")
	require.Empty(t, said.String())
	fails = errors.New("the disk is full")
	hook(record.Record{Backend: "brain", File: "/s/b/1/crashes/b.json"})
	require.Contains(t, said.String(), "the report on a crash is not written")
	require.Contains(t, said.String(), "the disk is full")
	Recorded(nil, "/s", pages)(record.Record{File: "/s/x.json"})
}

func TestWithoutTheCommandLineProgramThereIsNoPage(t *testing.T) {
	var missing *desktop.MissingError
	_, err := makePage(t.TempDir())(t.Context(), "page", "/x.json")
	require.ErrorAs(t, err, &missing)
}
