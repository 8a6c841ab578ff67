package environment

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	magicFat64 = 0xcafebabf // with 64-bit offsets

	arm64   = uint32(macho.CpuArm64)
	amd64   = uint32(macho.CpuAmd64)
	dylib   = uint32(macho.TypeDylib)
	program = uint32(macho.TypeExec)
)

// thin is a Mach-O header, byte by byte, with one load command (LC_UUID) behind it.
func thin(order binary.ByteOrder, cpu, subtype, kind uint32) []byte {
	b := make([]byte, 32+24)
	for i, v := range []uint32{macho.Magic64, cpu, subtype, kind, 1, 24, 0, 0, 0x1b, 24} {
		order.PutUint32(b[4*i:], v)
	}
	return b
}

// fat joins thin files, with 32-bit or with 64-bit offsets.
func fat(magic uint32, files ...[]byte) []byte {
	entry := 20
	if magic == magicFat64 {
		entry = 32
	}
	const align = 64
	var body bytes.Buffer
	start := (8 + entry*len(files) + align - 1) / align * align
	head := binary.BigEndian.AppendUint32(nil, magic)
	head = binary.BigEndian.AppendUint32(head, uint32(len(files)))
	for _, f := range files {
		order := binary.ByteOrder(binary.LittleEndian)
		head = binary.BigEndian.AppendUint32(head, order.Uint32(f[4:]))
		head = binary.BigEndian.AppendUint32(head, order.Uint32(f[8:]))
		if magic == magicFat64 {
			head = binary.BigEndian.AppendUint64(head, uint64(start+body.Len()))
			head = binary.BigEndian.AppendUint64(head, uint64(len(f)))
			head = binary.BigEndian.AppendUint64(head, 6)
		} else {
			head = binary.BigEndian.AppendUint32(head, uint32(start+body.Len()))
			head = binary.BigEndian.AppendUint32(head, uint32(len(f)))
			head = binary.BigEndian.AppendUint32(head, 6)
		}
		body.Write(f)
		body.Write(make([]byte, (align-len(f)%align)%align))
	}
	return append(append(head, make([]byte, start-len(head))...), body.Bytes()...)
}

func little(cpu, subtype, kind uint32) []byte { return thin(binary.LittleEndian, cpu, subtype, kind) }

func put(t *testing.T, path string, content []byte) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestALibraryIsInsertableOnlyIfItFits(t *testing.T) {
	tests := map[string]struct {
		content []byte
		arch    string
		problem string
	}{
		"thin arm64":                     {little(arm64, 0, dylib), "arm64", ""},
		"thin x86_64":                    {little(amd64, 3, dylib), "amd64", ""},
		"thin x86_64 with feature bits":  {little(amd64, 0x80000003, dylib), "amd64", ""},
		"wrong architecture":             {little(arm64, 0, dylib), "amd64", "have arm64, need x86_64"},
		"wrong the other way":            {little(amd64, 3, dylib), "arm64", "have x86_64, need arm64"},
		"arm64e is not arm64":            {little(arm64, 0x80000002, dylib), "arm64", "have arm64e, need arm64"},
		"fat with both":                  {fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib)), "arm64", ""},
		"fat with both, the other":       {fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib)), "amd64", ""},
		"fat with 64-bit offsets":        {fat(magicFat64, little(amd64, 3, dylib), little(arm64, 0, dylib)), "arm64", ""},
		"fat without ours":               {fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 2, dylib)), "arm64", "have x86_64 and arm64e, need arm64"},
		"a program":                      {little(arm64, 0, program), "arm64", "is not a library"},
		"a big-endian relic":             {thin(binary.BigEndian, uint32(macho.CpuPpc64), 0, dylib), "arm64", "have ppc64, need arm64"},
		"an unknown processor":           {little(99, 0, dylib), "arm64", "have cpu 99, need arm64"},
		"an ELF file":                    {append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 64)...), "arm64", "not a Mach-O file"},
		"text":                           {[]byte("version https://git-lfs.github.com/spec/v1\n"), "arm64", "not a Mach-O file"},
		"empty":                          {nil, "arm64", "not a Mach-O file"},
		"a few bytes":                    {little(arm64, 0, dylib)[:12], "arm64", "not a Mach-O file"},
		"cut in its load commands":       {little(arm64, 0, dylib)[:40], "arm64", "cut short"},
		"fat, cut in a slice":            {fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib))[:130], "arm64", "cut short"},
		"fat, cut in its table":          {fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib))[:30], "arm64", "not a Mach-O file"},
		"fat with nothing in it":         {fat(macho.MagicFat), "arm64", "not a Mach-O file"},
		"a Java class":                   {append([]byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 65}, make([]byte, 64)...), "arm64", "not a Mach-O file"},
		"fat with an offset that wraps":  {append([]byte{0xca, 0xfe, 0xba, 0xbf, 0, 0, 0, 1, 1, 0, 0, 12, 0, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 24)...), "arm64", "cut short"},
		"fat around what is no Mach-O":   {fat(macho.MagicFat, bytes.Repeat([]byte{7}, 64)), "arm64", "not a Mach-O file"},
		"load commands of absurd length": {append(little(arm64, 0, dylib)[:20], 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0), "arm64", "cut short"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := put(t, filepath.Join(t.TempDir(), "libomp.dylib"), tt.content)
			err := CheckDylib(path, tt.arch)
			if tt.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.problem)
			require.ErrorContains(t, err, path)
		})
	}
}

func TestTheHeadersAgreeWithGosOwnReader(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "x"), fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib)))
	f, err := macho.OpenFat(path)
	require.NoError(t, err)
	defer f.Close()
	require.Len(t, f.Arches, 2)
	have, err := MachArchs(path)
	require.NoError(t, err)
	require.Equal(t, []string{"amd64", "arm64"}, have)
}

func TestWhatIsNoFileIsNotInsertable(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, CheckDylib(filepath.Join(dir, "gone.dylib"), "arm64"), fs.ErrNotExist)
	require.ErrorContains(t, CheckDylib(dir, "arm64"), "is a folder, not a regular file")
	link := filepath.Join(dir, "dangling.dylib")
	require.NoError(t, os.Symlink("/nowhere/libomp.dylib", link))
	require.ErrorIs(t, CheckDylib(link, "arm64"), fs.ErrNotExist)
	if os.Getuid() != 0 {
		locked := put(t, filepath.Join(dir, "locked.dylib"), little(arm64, 0, dylib))
		require.NoError(t, os.Chmod(locked, 0))
		require.True(t, errors.Is(CheckDylib(locked, "arm64"), fs.ErrPermission) || CheckDylib(locked, "arm64") != nil)
	}
}

func TestTorchsCopyIsFoundInEveryLayout(t *testing.T) {
	for _, name := range libompNames {
		site := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(site, "torch"), 0o755))
		want := put(t, filepath.Join(site, name), little(arm64, 0, dylib))
		path, why := FindLibomp([]string{filepath.Join(site, "missing"), site}, "arm64")
		require.Equal(t, want, path)
		require.Empty(t, why)
	}
}

func TestAReasonIsGivenWhenThereIsNothingToInsert(t *testing.T) {
	site := t.TempDir()
	_, why := FindLibomp(nil, "arm64")
	require.Equal(t, "no site-packages folder was found", why)
	put(t, filepath.Join(site, "faiss", ".dylibs", "libomp.dylib"), little(arm64, 0, dylib))
	_, why = FindLibomp([]string{site}, "arm64")
	require.Equal(t, "torch is not installed in this environment", why, "only torch's copy counts")
	put(t, filepath.Join(site, "torch", "__init__.py"), nil)
	_, why = FindLibomp([]string{site}, "arm64")
	require.Equal(t, "this torch brings no copy of OpenMP", why)
	wrong := put(t, filepath.Join(site, "torch", "lib", "libomp.dylib"), little(amd64, 3, dylib))
	path, why := FindLibomp([]string{site}, "arm64")
	require.Empty(t, path)
	require.Equal(t, wrong+" is made for another architecture (have x86_64, need arm64)", why)
	old := put(t, filepath.Join(site, "torch", ".dylibs", "libiomp5.dylib"), little(arm64, 0, dylib))
	path, _ = FindLibomp([]string{site}, "arm64")
	require.Equal(t, old, path, "one that fits is better than a reason")
}

func TestAPathWithAColonCannotBeInserted(t *testing.T) {
	site := filepath.Join(t.TempDir(), "a:b")
	put(t, filepath.Join(site, "torch", "lib", "libomp.dylib"), little(arm64, 0, dylib))
	path, why := FindLibomp([]string{site}, "arm64")
	require.Empty(t, path)
	require.Contains(t, why, "colon")
}

func TestAUniversalPythonRunsAsItsParentDoes(t *testing.T) {
	dir := t.TempDir()
	both := put(t, filepath.Join(dir, "both"), fat(macho.MagicFat, little(amd64, 3, program), little(arm64, 0, program)))
	intel := put(t, filepath.Join(dir, "intel"), little(amd64, 3, program))
	require.Equal(t, "arm64", RunsAs(both, "arm64"))
	require.Equal(t, "amd64", RunsAs(both, "amd64"))
	require.Equal(t, "amd64", RunsAs(intel, "arm64"), "under Rosetta")
	require.Equal(t, "arm64", RunsAs(filepath.Join(dir, "gone"), "arm64"))
}

func BenchmarkFindLibomp(b *testing.B) {
	site := b.TempDir()
	path := filepath.Join(site, "torch", "lib", "libomp.dylib")
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.WriteFile(path, fat(macho.MagicFat, little(amd64, 3, dylib), little(arm64, 0, dylib)), 0o644)
	for b.Loop() {
		if found, _ := FindLibomp([]string{site}, "arm64"); found != path {
			b.Fatal(found)
		}
	}
}
