package main

import (
	"bytes"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCommandLineIsRead(t *testing.T) {
	for _, c := range []struct {
		args []string
		want options
		err  string
		told string
	}{
		{nil, options{}, "", ""},
		{[]string{"--demo"}, options{demo: true}, "", ""},
		{[]string{"-version"}, options{version: true}, "", ""},
		{[]string{"-psn_0_12345"}, options{}, "", ""},
		{[]string{"-psn_0_12345", "--demo"}, options{demo: true}, "", ""},
		{[]string{"--login"}, options{login: true}, "", ""},
		{[]string{"--login-item", "status"}, options{item: "status"}, "", ""},
		{[]string{"--login-item=/Users/a/b c.plist"}, options{item: "/Users/a/b c.plist"}, "", ""},
		{[]string{"--notices"}, options{notices: true}, "", ""},
		{[]string{"--login-item"}, options{}, "needs an argument", "usage: vivarium-menubar"},
		{[]string{"backend"}, options{}, "unexpected argument: backend", "usage: vivarium-menubar"},
		{[]string{"--nonsense"}, options{}, "not defined", "usage: vivarium-menubar"},
	} {
		var told bytes.Buffer
		got, err := parse(c.args, &told)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			require.Contains(t, told.String(), c.told)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.args)
		require.Empty(t, told.String())
	}
	_, err := parse([]string{"--help"}, &bytes.Buffer{})
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestADisplayIsNeededOnLinuxAndAlwaysThereOnAMac(t *testing.T) {
	for _, c := range []struct {
		goos string
		env  map[string]string
		want bool
	}{
		{"darwin", nil, true},
		{"linux", nil, false},
		{"linux", map[string]string{"DISPLAY": ":0"}, true},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true},
	} {
		require.Equal(t, c.want, hasDisplay(c.goos, func(k string) string { return c.env[k] }), c)
	}
}
