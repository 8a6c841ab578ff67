package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var released2026 = time.Unix(1_790_000_000, 0)

// armOnce is the sample for Apple's chips alone.
var armOnce = sync.OnceValues(func() (string, error) {
	work, err := slicesOnce()
	if err != nil {
		return "", err
	}
	unsigned, out := filepath.Join(work, "arm64-to-be-signed"), filepath.Join(work, "arm64", "Vivarium.app")
	if err := copySlices(unsigned); err != nil {
		return "", err
	}
	chips, err := archesOf("arm64")
	if err != nil {
		return "", err
	}
	a := app{builder: builder{root: "../../..", version: "v1.2.3-4-gabc"}, out: out, arches: chips, commits: 56, identity: "-"}
	return out, a.assemble(unsigned, io.Discard)
})

func packed(t *testing.T, version string) (dist, said string) {
	t.Helper()
	dist = filepath.Dir(sample(t))
	arm, err := armOnce()
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(bundleFor(dist, "arm64"), os.DirFS(arm)))
	var out bytes.Buffer
	require.NoError(t, pack("../../..", dist, version, released2026, nil, &out))
	return dist, out.String()
}

func TestAnUnpackedZipIsTheBundle(t *testing.T) {
	dist, said := packed(t, "v1.2.3")
	require.Contains(t, said, "no disk image: only a Mac can make one")
	r, err := zip.OpenReader(filepath.Join(dist, "Vivarium-1.2.3.zip"))
	require.NoError(t, err)
	defer r.Close()
	to := t.TempDir()
	for i, f := range r.File {
		require.True(t, i == 0 || r.File[i-1].Name < f.Name, "sorted")
		require.True(t, f.Modified.Equal(released2026), f.Name)
		path := filepath.Join(to, filepath.FromSlash(f.Name))
		if strings.HasSuffix(f.Name, "/") {
			require.NoError(t, os.MkdirAll(path, f.Mode().Perm()))
			continue
		}
		from, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, f.Mode().Perm()))
	}
	require.NoError(t, verified(filepath.Join(to, "Vivarium.app")))
	require.Equal(t, tree(t, filepath.Join(dist, "Vivarium.app")), tree(t, filepath.Join(to, "Vivarium.app")))
}

func TestTheSameBundleGivesTheSameZip(t *testing.T) {
	bundle := sample(t)
	first, second := filepath.Join(t.TempDir(), "a.zip"), filepath.Join(t.TempDir(), "b.zip")
	require.NoError(t, archive(bundle, first, released2026))
	require.NoError(t, filepath.WalkDir(bundle, func(path string, _ fs.DirEntry, err error) error {
		require.NoError(t, err)
		return os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour))
	}))
	require.NoError(t, os.Chmod(filepath.Join(bundle, "Contents", "PkgInfo"), 0o600))
	require.NoError(t, archive(bundle, second, released2026))
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.True(t, bytes.Equal(a, b), "neither times nor the umask are in it")
	require.Error(t, archive(filepath.Join(bundle, "none"), first, released2026))
}

func TestTheChecksumsAreThoseOfWhatIsPublished(t *testing.T) {
	dist, _ := packed(t, "v1.2.3")
	text, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	require.NoError(t, err)
	var want strings.Builder
	for _, name := range []string{"Vivarium-1.2.3.zip", "Vivarium-1.2.3-arm64.zip", "Vivarium-1.2.3.cdx.json"} {
		content, err := os.ReadFile(filepath.Join(dist, name))
		require.NoError(t, err)
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(content), name)
	}
	require.Equal(t, want.String(), string(text))
	require.Error(t, checksums(filepath.Join(dist, "SUMS"), filepath.Join(dist, "none")))
}

func TestTheBillOfMaterialsNamesWhatIsInside(t *testing.T) {
	dist, _ := packed(t, "44fff45")
	text, err := os.ReadFile(filepath.Join(dist, "Vivarium-44fff45.cdx.json"))
	require.NoError(t, err)
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []component
	}
	require.NoError(t, json.Unmarshal(text, &bom))
	require.Equal(t, "CycloneDX", bom.Format)
	require.Len(t, bom.Components, 1, "the sample has no modules, only Go")
	require.Equal(t, "go", bom.Components[0].Name)
	require.Error(t, bill(t.TempDir(), "v1.2.3", filepath.Join(dist, "none")))
}

func TestTheDownloadForOneChipIsTheSmaller(t *testing.T) {
	dist, _ := packed(t, "v1.2.3")
	size := func(name string) int64 {
		st, err := os.Stat(filepath.Join(dist, name))
		require.NoError(t, err)
		return st.Size()
	}
	require.Less(t, size("Vivarium-1.2.3-arm64.zip"), size("Vivarium-1.2.3.zip")*3/4)
}
