package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recorded is a Mac that writes down what it is told to do.
func recorded(work string) (*mac, *[]string) {
	var lines []string
	return &mac{run: func(name string, args ...string) error {
		lines = append(lines, strings.ReplaceAll(name+" "+strings.Join(args, " "), work, "WORK"))
		return nil
	}}, &lines
}

func TestOnAMacTheSystemsToolsWorkFromTheInsideOut(t *testing.T) {
	m, said := recorded("/build")
	require.NoError(t, m.finish("/build", "/build/Vivarium.app/Contents", "an.id", "-", "../Vivarium.entitlements", arches))
	require.Equal(t, []string{
		"lipo -create -output WORK/Vivarium.app/Contents/Helpers/Vivarium Keeper.app/Contents/MacOS/vivarium-keeper WORK/vivarium-keeper-amd64 WORK/vivarium-keeper-arm64",
		"lipo -create -output WORK/Vivarium.app/Contents/Helpers/vivarium WORK/vivarium-amd64 WORK/vivarium-arm64",
		"lipo -create -output WORK/Vivarium.app/Contents/MacOS/Vivarium WORK/vivarium-menubar-amd64 WORK/vivarium-menubar-arm64",
		"codesign --force --sign - --options runtime --entitlements ../Vivarium.entitlements WORK/Vivarium.app/Contents/Helpers/Vivarium Keeper.app",
		"codesign --force --sign - --options runtime --identifier an.id.command WORK/Vivarium.app/Contents/Helpers/vivarium",
		"codesign --force --sign - --options runtime --entitlements ../Vivarium.entitlements WORK/Vivarium.app",
		"codesign --verify --strict --deep --verbose=2 WORK/Vivarium.app",
	}, *said)
}

func TestACertificateBringsATimestamp(t *testing.T) {
	require.Equal(t, []string{"--force", "--sign", "Developer ID Application: Somebody (TEAM)", "--options", "runtime", "--timestamp"},
		signingOptions("Developer ID Application: Somebody (TEAM)"))
}

func TestATroubleOnAMacEndsIt(t *testing.T) {
	for broken, steps := range map[string]int{"lipo": 1, "codesign": 4} {
		calls := 0
		m := &mac{run: func(name string, _ ...string) error {
			calls++
			if name == broken {
				return errors.New("no")
			}
			return nil
		}}
		require.Error(t, m.finish("/w", "/w/Vivarium.app/Contents", "an.id", "-", "../Vivarium.entitlements", arches))
		require.Equal(t, steps, calls)
	}
}

func TestADiskImageHoldsTheAppAndWhereItBelongs(t *testing.T) {
	var stage string
	m := &mac{run: func(name string, args ...string) error {
		switch name {
		case "ditto":
			stage = filepath.Dir(args[1])
			return os.Mkdir(args[1], 0o755)
		case "hdiutil":
			require.Contains(t, args, stage)
			require.Equal(t, "out.dmg", args[len(args)-1])
			to, err := os.Readlink(filepath.Join(stage, "Applications"))
			require.NoError(t, err)
			require.Equal(t, "/Applications", to)
			require.DirExists(t, filepath.Join(stage, "Vivarium.app"))
		default:
			require.Fail(t, name)
		}
		return nil
	}}
	require.NoError(t, m.dmg("dist/Vivarium.app", "out.dmg"))
	require.NoDirExists(t, stage)
}

func TestADiskImageThatIsBusyIsTriedAgainAndNotForEver(t *testing.T) {
	for busy, want := range map[int]int{0: 1, 3: 4, 1000: dmgTries} {
		tries, pauses := 0, 0
		m := &mac{pause: func(time.Duration) { pauses++ }, run: func(name string, _ ...string) error {
			if name != "hdiutil" {
				return nil
			}
			if tries++; tries <= busy {
				return errors.New("hdiutil: create failed - Resource busy")
			}
			return nil
		}}
		err := m.dmg("dist/Vivarium.app", "out.dmg")
		require.Equal(t, want, tries, busy)
		require.Equal(t, want-1, pauses, busy)
		require.Equal(t, busy >= dmgTries, err != nil, "%d: %v", busy, err)
	}
}

func TestTheMacsOwnToolsAreRunForReal(t *testing.T) {
	m := newMac()
	require.NoError(t, m.run("true"))
	require.ErrorContains(t, m.run("false"), "false: exit status 1")
}
