package verify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestAListOfImportsIsALibraryAndItsSymbols(t *testing.T) {
	got, err := readList("# a remark\n/usr/lib/one a b\n\t_x\n\t_y  Other\n\n/Frameworks/Two *\n\t_x\n")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"/usr/lib/one": {"a", "b"}, "/Frameworks/Two": {"*"}}, got.programs)
	require.Equal(t, map[Import]string{
		{"/usr/lib/one", "_x"}: "one", {"/usr/lib/one", "_y"}: "Other", {"/Frameworks/Two", "_x"}: "Two",
	}, got.symbols)
	for text, says := range map[string]string{
		"\t_x\n":                  "imports.txt:1: ",
		"/usr/lib/one\n":          "neither a library",
		"/usr/lib/one *\n\ta b c": "imports.txt:2: ",
		"/l *\n\t_x\n\t_x\n":      "imports.txt:3: _x stands there twice",
	} {
		_, err := readList(text)
		require.ErrorContains(t, err, says)
	}
}

func TestAKeeperMayNotHaveAppKit(t *testing.T) {
	all, err := readList(list)
	require.NoError(t, err)
	const appKit = "/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit"
	s := Slice{Libraries: []string{"/usr/lib/libSystem.B.dylib", appKit}, Imports: []Import{{appKit, "_OBJC_CLASS_$_NSMenu"}}}
	require.Empty(t, all.check("MacOS/Vivarium", s, Own))
	for _, program := range []string{"Helpers/vivarium", "Helpers/vivarium-keeper"} {
		for _, by := range []Signed{Own, Apple} {
			wrong := all.check(program, s, by)
			require.Len(t, wrong, 1)
			require.ErrorContains(t, wrong[0], "loads "+appKit)
		}
	}
}

func TestWhatIsNotOnTheListIsTold(t *testing.T) {
	all, err := readList(list)
	require.NoError(t, err)
	s := Slice{Libraries: []string{"/usr/lib/libc++.1.dylib"}, Imports: []Import{{"/usr/lib/libSystem.B.dylib", "_system"}}}
	require.Len(t, all.check("MacOS/Vivarium", s, Own), 2)
	require.Empty(t, all.check("MacOS/Vivarium", s, Apple), "Apple's linker has looked already")
	// The same symbol from another library is another import: dyld looks in no second one.
	wrong := all.check("MacOS/Vivarium", Slice{Imports: []Import{{"/usr/lib/libobjc.A.dylib", "_open"}}}, Own)
	require.Len(t, wrong, 1)
}

// stub is a text-based description of a library, as linkers read it.
type stub struct {
	Name    string `yaml:"install-name"`
	Exports []struct {
		Symbols []string `yaml:"symbols"`
		Classes []string `yaml:"objc-classes"`
	} `yaml:"exports"`
}

// A stub that names more than is used hides a mistake until a Mac looks for it; one that names less does not link.
func TestTheStubsAndTheListNameTheSame(t *testing.T) {
	all, err := readList(list)
	require.NoError(t, err)
	files, err := filepath.Glob("../../darwin/*/*.tbd")
	require.NoError(t, err)
	deeper, err := filepath.Glob("../../darwin/Frameworks/*/*.tbd")
	require.NoError(t, err)
	declared := map[string][]string{}
	for _, file := range append(files, deeper...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var s stub
		require.NoError(t, yaml.Unmarshal([]byte(strings.Replace(string(text), "--- !tapi-tbd", "---", 1)), &s), file)
		require.NotEmpty(t, s.Name, file)
		declared[s.Name] = []string{}
		for _, e := range s.Exports {
			declared[s.Name] = append(declared[s.Name], e.Symbols...)
			for _, class := range e.Classes {
				declared[s.Name] = append(declared[s.Name], "_OBJC_CLASS_$_"+class, "_OBJC_METACLASS_$_"+class)
			}
		}
	}
	for i := range all.symbols {
		if i.Library != "/usr/lib/libSystem.B.dylib" { // zig's own
			require.Contains(t, declared[i.Library], i.Symbol)
		}
	}
	for library, symbols := range declared {
		if !strings.HasPrefix(library, "/System/Library/Frameworks/") {
			continue // what the compiler itself calls changes with its version
		}
		for _, symbol := range symbols {
			listed := slices.ContainsFunc([]string{"CLASS", "METACLASS"}, func(kind string) bool {
				_, yes := all.symbols[Import{library, strings.Replace(symbol, "_METACLASS_", "_"+kind+"_", 1)}]
				return yes
			})
			require.True(t, listed, "%s: %s is declared and never imported", library, symbol)
		}
	}
}

func TestEveryClassStandsInTheDocumentationOfItsFramework(t *testing.T) {
	all, err := readList(list)
	require.NoError(t, err)
	for i, home := range all.symbols {
		class, ok := strings.CutPrefix(i.Symbol, "_OBJC_CLASS_$_")
		if !ok {
			continue
		}
		header := filepath.Join("../../darwin/Frameworks", home+".framework", "Headers", home+".h")
		if home == "ObjectiveC" {
			continue // NSObject: declared by libobjc's own headers, which zig brings
		}
		text, err := os.ReadFile(header)
		require.NoError(t, err)
		require.Contains(t, string(text), "@interface "+class+" :", "documented in %s", home)
	}
}

// On macOS 12 dyld would refuse a program that names a class of macOS 13: the app asks for it by its name while it runs. What a built
// app really imports is compared with the list by its check.
func TestNoClassThatIsNewerThanTheOldestMacOSIsImported(t *testing.T) {
	all, err := readList(list)
	require.NoError(t, err)
	for i := range all.symbols {
		require.NotContains(t, i.Symbol, "SMAppService")
	}
	for library := range all.programs {
		require.NotContains(t, library, "ServiceManagement")
	}
	s := Slice{Imports: []Import{{"/System/Library/Frameworks/ServiceManagement.framework/Versions/A/ServiceManagement", "_OBJC_CLASS_$_SMAppService"}}}
	require.NotEmpty(t, all.check("MacOS/Vivarium", s, Own))
	code, err := os.ReadFile("../../../../app/tray/login_darwin.m")
	require.NoError(t, err)
	require.Contains(t, string(code), `objc_getClass("SMAppService")`)
	require.NotContains(t, string(code), "[SMAppService")
}
