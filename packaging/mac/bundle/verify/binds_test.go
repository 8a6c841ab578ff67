package verify

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

var two = []string{"/usr/lib/one", "/usr/lib/two"}

func TestABindTableIsReadAsDyldReadsIt(t *testing.T) {
	for name, c := range map[string]struct {
		table string
		want  []Import
		says  string
	}{
		"nothing":                   {"", nil, ""},
		"one symbol":                {"\x11\x40_open\x00\x51\x72\x08\x90\x00", []Import{{two[0], "_open"}}, ""},
		"a library keeps":           {"\x12\x40_a\x00\x90\x40_b\x00\x90", []Import{{two[1], "_a"}, {two[1], "_b"}}, ""},
		"a big ordinal":             {"\x20\x02\x40_a\x00\x90", []Import{{two[1], "_a"}}, ""},
		"an addend is no matter":    {"\x11\x60\x7f\x40_a\x00\x90", []Import{{two[0], "_a"}}, ""},
		"with a step":               {"\x11\x40_a\x00\xa0\x10\x40_b\x00\xb1", []Import{{two[0], "_a"}, {two[0], "_b"}}, ""},
		"many times":                {"\x11\x40_a\x00\xc0\x05\x08", []Import{{two[0], "_a"}}, ""},
		"lazy: one ends, one comes": {"\x70\x00\x11\x40_a\x00\x90\x00\x70\x08\x12\x40_b\x00\x90\x00", []Import{{two[0], "_a"}, {two[1], "_b"}}, ""},
		"no library yet":            {"\x40_a\x00\x90", nil, "_a is to be looked for in library 0 of 2"},
		"a library too many":        {"\x13\x40_a\x00\x90", nil, "library 3 of 2"},
		"wherever it is found":      {"\x3e\x40_a\x00\x90", nil, "library -14 of 2"},
		"a name without an end":     {"\x11\x40_a", nil, "EOF"},
		"a number without an end":   {"\x20\x80", nil, "EOF"},
		"an opcode of the future":   {"\xd0", nil, "unknown opcode 0xd0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bound(nil, []byte(c.table), two)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// fixups is a dyld_chained_fixups_header with its imports and names.
func fixups(format uint32, names string, entries ...uint32) []byte {
	at := uint32(28)
	table := binary.LittleEndian.AppendUint32(nil, 0)
	for _, v := range []uint32{at, at, at + 4*uint32(len(entries)), uint32(len(entries)), format, 0} {
		table = binary.LittleEndian.AppendUint32(table, v)
	}
	for _, e := range entries {
		table = binary.LittleEndian.AppendUint32(table, e)
	}
	return append(table, names...)
}

func TestChainedFixupsNameTheirImports(t *testing.T) {
	names := "\x00_open\x00_close\x00"
	got, err := chained(nil, fixups(1, names, 1|1<<9, 2|7<<9), two)
	require.NoError(t, err)
	require.Equal(t, []Import{{two[0], "_open"}, {two[1], "_close"}}, got)

	for says, table := range map[string][]byte{
		"unknown format":       fixups(2, names),
		"reach out of them":    fixups(1, "", 0)[:29],
		"stands outside":       fixups(1, names, 1|500<<9),
		"library 3 of 2":       fixups(1, names, 3|1<<9),
		"library -2 of 2":      fixups(1, names, 0xfe|1<<9),
		"of an unknown format": nil,
	} {
		_, err := chained(nil, table, two)
		require.ErrorContains(t, err, says)
	}
}

func FuzzTablesOfImports(f *testing.F) {
	f.Add([]byte("\x70\x00\x11\x40_a\x00\x90\x00\x70\x08\x12\x40_b\x00\x90\x00"))
	f.Add([]byte("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x40_a\x00\xc0\x05\x08"))
	f.Add(fixups(1, "\x00_open\x00", 1|1<<9, 2|1<<9))
	f.Fuzz(func(t *testing.T, table []byte) {
		for _, read := range []func([]Import, []byte, []string) ([]Import, error){bound, chained} {
			got, err := read(nil, table, two)
			for _, i := range got {
				require.True(t, err != nil || i.Library == two[0] || i.Library == two[1])
			}
		}
	})
}

// made is a Mach-O file of load commands alone.
func made(commands ...[]byte) []byte {
	body := bytes.Join(commands, nil)
	file := []byte{0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0}
	for _, v := range []uint32{uint32(len(commands)), uint32(len(body)), pie, 0} {
		file = binary.LittleEndian.AppendUint32(file, v)
	}
	return append(file, body...)
}

func command(kind uint32, fields ...uint32) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, kind)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(8+4*len(fields)))
	for _, v := range fields {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	return raw
}

func TestLoadCommandsThatLieAreToldAndNotFollowed(t *testing.T) {
	versions := command(0x32, 1, 12<<16|3<<8|1, 15<<16, 0)
	nothing := command(0x80000022, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"cut short":               {made(command(0x32)), "has only 8 bytes"},
		"for another system":      {made(command(0x32, 2, 0, 0, 0)), "made for platform 2"},
		"for two":                 {made(versions, versions), "or for two"},
		"a name outside":          {made(command(0xc, 99, 0, 0, 0)), "outside"},
		"no imports said":         {made(versions), "says nowhere what it imports"},
		"imports outside":         {made(command(0x80000022, 0, 0, 9999, 8, 0, 0, 0, 0, 0, 0)), "reading a table of imports"},
		"chained imports outside": {made(command(0x80000034, 9999, 8)), "reading a table of imports"},
		"well":                    {made(versions, nothing), ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := macho.NewFile(bytes.NewReader(c.file))
			if err != nil {
				require.ErrorContains(t, err, "invalid") // debug/macho saw it first
				return
			}
			s, err := readSlice(m, c.file)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"arm64", "12.3.1", "15.0"}, []string{s.Arch, s.MinOS, s.SDK})
			require.True(t, s.PIE)
		})
	}
	_, err := part(bytes.NewReader(nil), binary.LittleEndian, []byte{0, 0, 0, 0, 1, 0, 0, 0})
	require.ErrorIs(t, err, io.EOF)
}
