package openmp

import (
	"encoding/asn1"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// superBlob is a signature with a CodeDirectory of these flags, and entitlements.
func superBlob(flags uint32, entitlements ...[]byte) []byte {
	directory := binary.BigEndian.AppendUint32(nil, blobDirectory)
	for _, v := range []uint32{16, 0x20400, flags} {
		directory = binary.BigEndian.AppendUint32(directory, v)
	}
	blobs := append([][]byte{directory}, entitlements...)
	head := binary.BigEndian.AppendUint32(nil, blobSignature)
	head = binary.BigEndian.AppendUint32(head, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(len(blobs)))
	at := uint32(12 + 8*len(blobs))
	var body []byte
	for i, b := range blobs {
		head = binary.BigEndian.AppendUint32(head, uint32(i))
		head = binary.BigEndian.AppendUint32(head, at+uint32(len(body)))
		body = append(body, b...)
	}
	return append(head, body...)
}

func blob(magic uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	return append(binary.BigEndian.AppendUint32(b, uint32(8+len(body))), body...)
}

func xmlBlob(keys string) []byte {
	return blob(blobXML, []byte(`<?xml version="1.0"?><!DOCTYPE plist><plist version="1.0"><dict>`+keys+`</dict></plist>`))
}

// derBlob is entitlements as Apple writes them: application 16, a version, context 16, and a sequence for each key.
func derBlob(t *testing.T, all map[string]bool) []byte {
	t.Helper()
	var pairs []byte
	for key, value := range all {
		pair, err := asn1.Marshal(struct {
			Key   string `asn1:"utf8"`
			Value bool
		}{key, value})
		require.NoError(t, err)
		pairs = append(pairs, pair...)
	}
	dict, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 16, IsCompound: true, Bytes: pairs})
	require.NoError(t, err)
	whole, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: 16, IsCompound: true, Bytes: append([]byte{2, 1, 1}, dict...)})
	require.NoError(t, err)
	return blob(blobDER, whole)
}

// signedMacho is a program of one architecture with a signature behind its load commands.
func signedMacho(cpu uint32, signature []byte) []byte {
	const end = 32 + 16
	b := make([]byte, end)
	for i, v := range []uint32{0xfeedfacf, cpu, 0, 2, 1, 16, 0, 0, cmdSignature, 16, end, uint32(len(signature))} {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	return append(b, signature...)
}

const (
	cpuARM64 = 0x0100000c
	cpuAMD64 = 0x01000007
)

func TestWhetherVariablesArriveIsReadFromTheSignature(t *testing.T) {
	yes := map[string]bool{allowVariables: true, allowLibraries: true}
	for name, c := range map[string]struct {
		signature      []byte
		drops, refuses string
	}{
		"ad hoc, as Homebrew's, conda's and uv's": {superBlob(flagAdHoc), "", ""},
		"hardened with both entitlements, as python.org's": {
			superBlob(flagRuntime, xmlBlob("<key>"+allowVariables+"</key><true/><key>"+allowLibraries+"</key><true/>")), "", "",
		},
		"the same in DER":        {superBlob(flagRuntime, derBlob(t, yes)), "", ""},
		"hardened":               {superBlob(flagRuntime), "hardened runtime without the entitlement", "loads only libraries"},
		"hardened, switched off": {superBlob(flagRuntime, xmlBlob("<key>"+allowVariables+"</key><false/>")), "hardened runtime without", "loads only"},
		"DER outweighs XML": {
			superBlob(flagRuntime, derBlob(t, map[string]bool{allowVariables: false}), xmlBlob("<key>"+allowVariables+"</key><true/>")), "hardened runtime without", "loads only",
		},
		"DER outweighs XML before it": {
			superBlob(flagRuntime, xmlBlob("<key>"+allowVariables+"</key><true/>"), derBlob(t, map[string]bool{"x": true})), "hardened runtime without", "loads only",
		},
		"restricted":         {superBlob(flagAdHoc | flagRestrict), "restricted", ""},
		"library validation": {superBlob(flagValidation), "", "loads only libraries"},
		"unsigned":           {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "python3.11")
			require.NoError(t, os.WriteFile(path, signedMacho(cpuARM64, c.signature), 0o755))
			p, err := InspectPython(path, "darwin", "arm64")
			require.NoError(t, err)
			require.Equal(t, c.signature != nil, p.Signature.Signed)
			if c.drops == "" {
				require.Empty(t, p.Drops)
			}
			if c.refuses == "" {
				require.Empty(t, p.Refuses)
			}
			require.Contains(t, p.Drops, c.drops)
			require.Contains(t, p.Refuses, c.refuses)
		})
	}
}

func TestASignatureThatMakesNoSenseIsAnErrorAndNoPanic(t *testing.T) {
	whole := superBlob(flagRuntime, xmlBlob("<key>a</key><true/>"))
	for name, signature := range map[string][]byte{
		"another magic":        append([]byte{1, 2, 3, 4}, whole[4:]...),
		"absurd count":         append(append([]byte{}, whole[:8]...), 0xff, 0xff, 0xff, 0xff),
		"cut short":            whole[:len(whole)-12],
		"XML that is none":     superBlob(0, blob(blobXML, []byte("<plist><"))),
		"DER that is none":     superBlob(0, blob(blobDER, []byte{0x30, 0x84, 0xff})),
		"a blob without space": superBlob(0, []byte{0xfa, 0xde, 0x71, 0x71, 0, 0, 0, 1}),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "python3")
			require.NoError(t, os.WriteFile(path, signedMacho(cpuARM64, signature), 0o755))
			_, err := InspectPython(path, "darwin", "arm64")
			require.Error(t, err)
		})
	}
}

func TestAFrameworksPythonIsTheOneInPythonApp(t *testing.T) {
	version := filepath.Join(t.TempDir(), "Python.framework", "Versions", "3.12")
	start := filepath.Join(version, "bin", "python3.12")
	inner := filepath.Join(version, "Resources", "Python.app", "Contents", "MacOS", "Python")
	for path, signature := range map[string][]byte{start: superBlob(flagAdHoc), inner: superBlob(flagRuntime)} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, signedMacho(cpuARM64, signature), 0o755))
	}
	venv := filepath.Join(t.TempDir(), "python")
	require.NoError(t, os.Symlink(start, venv))
	p, err := InspectPython(venv, "darwin", "arm64")
	require.NoError(t, err)
	real, err := filepath.EvalSymlinks(inner)
	require.NoError(t, err)
	require.Equal(t, real, p.Runs)
	require.Contains(t, p.Drops, "Python.app", "what the first would accept does not help")
}

func TestAnIntelPythonOnAnAppleMacIsTranslated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "python3")
	require.NoError(t, os.WriteFile(path, signedMacho(cpuAMD64, superBlob(flagAdHoc)), 0o755))
	p, err := InspectPython(path, "darwin", "arm64")
	require.NoError(t, err)
	require.True(t, p.Translated)
	require.Equal(t, "amd64", p.Arch)
	missed := p.Misses([]Package{{Name: "faiss-cpu", Archs: []string{"arm64"}}, {Name: "numpy", Archs: []string{"amd64", "arm64"}}, {Name: "six"}})
	require.Equal(t, []Package{{Name: "faiss-cpu", Archs: []string{"arm64"}}}, missed)
	p, err = InspectPython(path, "darwin", "amd64")
	require.NoError(t, err)
	require.False(t, p.Translated)

	require.NoError(t, os.WriteFile(path, signedMacho(cpuARM64, nil), 0o755))
	_, err = InspectPython(path, "darwin", "amd64")
	require.ErrorContains(t, err, "made for arm64")
	require.NoError(t, os.WriteFile(path, []byte("#!/usr/bin/env bash\n"), 0o755))
	_, err = InspectPython(path, "darwin", "arm64")
	require.ErrorIs(t, err, errForeign)
}

func TestTheSystemsOwnFoldersAreProtectedAndLocalOnesAreNot(t *testing.T) {
	for path, want := range map[string]bool{
		"/usr/bin/python3": true, "/System/Library/x": true, "/bin/sh": true, "/usr/local/bin/python3": false, "/opt/homebrew/bin/python3": false, "/usrlocal/python": false,
	} {
		require.Equal(t, want, isProtected(path), path)
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(superBlob(flagRuntime, xmlBlob("<key>a</key><true/>")))
	f.Add(superBlob(0, blob(blobDER, []byte{0x70, 3, 2, 1, 1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &machO{body: bounded{readerOf(b), 0, int64(len(b))}, signature: section{0, int64(len(b))}}
		_, _ = m.signed()
	})
}
