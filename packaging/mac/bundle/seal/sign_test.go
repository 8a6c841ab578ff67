package seal

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// compiled is a real program for macOS: Go's linker signs it for arm64 and leaves it unsigned for amd64.
func compiled(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module small\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\"small\") }\n"), 0o600))
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "small", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, "small")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// commands are the load commands of a file: where each stands and what it is.
func commands(t *testing.T, file []byte) map[string][2]int {
	t.Helper()
	m, err := macho.NewFile(bytes.NewReader(file))
	require.NoError(t, err)
	all, at := map[string][2]int{}, 32
	for _, l := range m.Loads {
		switch s, ok := l.(*macho.Segment); {
		case ok && s.Name == "__LINKEDIT":
			all["linkedit"] = [2]int{at, at + len(l.Raw())}
		case binary.LittleEndian.Uint32(l.Raw()) == codeSignature:
			all["signature"] = [2]int{at, at + len(l.Raw())}
		}
		at += len(l.Raw())
	}
	return all
}

func TestASignatureChangesNothingButItsOwnPlace(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			path := compiled(t, arch)
			before := read(t, path)
			_, err := Sign(path, Signing{ID: "a.small.program"})
			require.NoError(t, err)
			after := read(t, path)

			place := commands(t, after)
			start := int(binary.LittleEndian.Uint32(after[place["signature"][0]+8:]))
			require.LessOrEqual(t, start, len(before)+15)
			mayDiffer := [][2]int{{16, 24}, place["linkedit"], place["signature"]} // how many load commands there are, and two of them
			for i := range min(start, len(before)) {
				if before[i] != after[i] && !slices.ContainsFunc(mayDiffer, func(r [2]int) bool { return r[0] <= i && i < r[1] }) {
					require.Fail(t, "another byte was changed", "at %d of %d", i, start)
				}
			}
			m, err := macho.NewFile(bytes.NewReader(after))
			require.NoError(t, err)
			linkedit := m.Segment("__LINKEDIT")
			require.Equal(t, uint64(len(after)), linkedit.Offset+linkedit.Filesz, "the file ends with its last segment")
			require.GreaterOrEqual(t, linkedit.Memsz, linkedit.Filesz)
		})
	}
}

func TestTheSameProgramIsSignedWithTheSameBytes(t *testing.T) {
	path := compiled(t, "arm64")
	s := Signing{ID: "a.small.program", InfoPlist: []byte("info"), Resources: []byte("seal")}
	first, err := Sign(path, s)
	require.NoError(t, err)
	once := read(t, path)
	again, err := Sign(path, s)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.True(t, bytes.Equal(once, read(t, path)), "a signature over a signed program replaces the old one without a trace")

	for name, other := range map[string]Signing{
		"identifier": {ID: "another.program", InfoPlist: s.InfoPlist, Resources: s.Resources},
		"Info.plist": {ID: s.ID, InfoPlist: []byte("other"), Resources: s.Resources},
		"seal":       {ID: s.ID, InfoPlist: s.InfoPlist, Resources: []byte("other")},
		"nothing":    {ID: s.ID},
	} {
		hash, err := Sign(path, other)
		require.NoError(t, err)
		require.NotEqual(t, first, hash, "another %s is another code", name)
	}
}

func TestWhatCannotBeSignedIsLeftAlone(t *testing.T) {
	good := read(t, compiled(t, "amd64"))
	signed := read(t, func() string {
		path := compiled(t, "arm64")
		_, err := Sign(path, Signing{ID: "a.small.program"})
		require.NoError(t, err)
		return path
	}())
	change := func(file []byte, at int, value uint32) []byte {
		file = bytes.Clone(file)
		binary.LittleEndian.PutUint32(file[at:], value)
		return file
	}
	signature := commands(t, signed)["signature"][0]
	end := 32 + int(binary.LittleEndian.Uint32(good[20:]))
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"a text":                        {[]byte("#!/bin/sh\n"), "invalid magic number"},
		"nothing":                       {nil, ""},
		"bytes behind the last segment": {append(bytes.Clone(good), 0), "the file ends at"},
		"something behind the commands": {change(good, end, 1), "something stands behind the load commands"},
		"a signature before its place":  {change(signed, signature+8, 16), "points out of __LINKEDIT"},
		"a signature behind the end":    {change(signed, signature+8, 1<<30), "points out of __LINKEDIT"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "program")
			require.NoError(t, os.WriteFile(path, c.file, 0o755))
			_, err := Sign(path, Signing{ID: "a.small.program"})
			require.ErrorContains(t, err, c.says)
			require.True(t, bytes.Equal(c.file, read(t, path)))
		})
	}
	_, err := Sign(filepath.Join(t.TempDir(), "none"), Signing{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAProgramWithoutRoomForTheCommandIsRefused(t *testing.T) {
	file := read(t, compiled(t, "amd64"))
	m, err := macho.NewFile(bytes.NewReader(file))
	require.NoError(t, err)
	at := 32
	for _, l := range m.Loads {
		if s, ok := l.(*macho.Segment); ok && s.Name == "__TEXT" {
			const segment, offset = 72, 48 // of its first section
			binary.LittleEndian.PutUint32(file[at+segment+offset:], 32+m.Cmdsz)
		}
		at += len(l.Raw())
	}
	_, err = makeRoom(file)
	require.ErrorContains(t, err, "no room for a load command")
}

func TestASignatureWithoutAPlaceForTheHardenedRuntimeIsRefused(t *testing.T) {
	old := make([]byte, 128)
	binary.BigEndian.PutUint32(old[8:], 1)      // one entry
	binary.BigEndian.PutUint32(old[16:], 20)    // which begins here
	binary.BigEndian.PutUint32(old[24:], 60)    // with this length
	binary.BigEndian.PutUint32(old[28:], 0x400) // and this version
	_, err := harden(old, 0)
	require.ErrorContains(t, err, "no place for the hardened runtime")

	binary.BigEndian.PutUint32(old[12:], 5) // entitlements, not a CodeDirectory
	_, err = harden(old, 0)
	require.ErrorContains(t, err, "no CodeDirectory")
}

func TestAUniversalFileHoldsBothUnchanged(t *testing.T) {
	slicesOf := map[string]string{"amd64": compiled(t, "amd64"), "arm64": compiled(t, "arm64")}
	out := filepath.Join(t.TempDir(), "universal")
	require.NoError(t, Join(out, slicesOf["amd64"], slicesOf["arm64"]))
	whole := read(t, out)
	fat, err := macho.NewFatFile(bytes.NewReader(whole))
	require.NoError(t, err)
	require.Len(t, fat.Arches, 2)
	for i, arch := range []string{"amd64", "arm64"} {
		a := fat.Arches[i]
		require.Zero(t, a.Offset%(1<<14), "arm64 has pages of 16 KiB")
		require.Equal(t, uint32(14), a.Align)
		require.True(t, bytes.Equal(read(t, slicesOf[arch]), whole[a.Offset:a.Offset+a.Size]), arch)
	}
	st, err := os.Stat(out)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), st.Mode().Perm())
	require.Error(t, Join(out, filepath.Join(t.TempDir(), "none")))
}
