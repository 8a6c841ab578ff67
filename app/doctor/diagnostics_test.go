package doctor

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/app/testkit"
	"github.com/vivarium-app/vivarium/supervisor"
	"github.com/vivarium-app/vivarium/supervisor/crash"
	"github.com/vivarium-app/vivarium/supervisor/crash/environment"
)

func TestSecretsAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"Authorization: Bearer abc.def-123":                   "Authorization: [masked]",
		`headers={'authorization': 'Bearer abc', 'x': 1}`:     `headers={'authorization': [masked], 'x': 1}`,
		"sending Bearer abc.def now":                          "sending Bearer [masked] now",
		"using sk-proj-AbCdEf123456 for OpenAI":               "using [masked] for OpenAI",
		"key sk-ant-api03-xyz_123-456":                        "key [masked]",
		"AKIAIOSFODNN7EXAMPLE is the id":                      "[masked] is the id",
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG":         "AWS_SECRET_ACCESS_KEY=[masked]",
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a pushed":     "[masked] pushed",
		"github_pat_11ABCDEFG0abcdefghij_klmnop":              "[masked]",
		"hf_abcdefghijklmnopqrstuv":                           "[masked]",
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-d_e":    "jwt [masked]",
		"postgres://ada:hunter2@db:5432/x":                    "postgres://[masked]@db:5432/x",
		"redis://:p@ss:w@rd@cache/0 ok":                       "redis://[masked]@cache/0 ok",
		"git clone https://token123@github.com/x":             "git clone https://[masked]@github.com/x",
		"password = correct horse battery staple":             "password = [masked]",
		"PASSWORD: a,b;c&d":                                   "PASSWORD: [masked]",
		`{"api_key": "a\"b c", "model": "x"}`:                 `{"api_key": [masked], "model": "x"}`,
		`{'openai_api_key': 'abc', 'port': 8000}`:             `{'openai_api_key': [masked], 'port': 8000}`,
		`os.environ["MY_TOKEN"] = "abc"`:                      `os.environ["MY_TOKEN"] = [masked]`,
		`"GET /v1?token=abc&page=2 HTTP/1.1" 200 OK`:          `"GET /v1?token=[masked]&page=2 HTTP/1.1" 200 OK`,
		"run --api-key abc --port 8000":                       "run --api-key [masked] --port 8000",
		"run --api-key=abc --port 8000":                       "run --api-key=[masked]",
		`['--token', 'abc', '--port', '8000']`:                `['--token', '[masked]', '--port', '8000']`,
		"Set-Cookie: session=abc; Path=/":                     "Set-Cookie: [masked]",
		"DB_PASS=abc":                                         "DB_PASS=[masked]",
		"\x1b[32mapi_key\x1b[0m=\x1b[1mabc\x1b[0m":            "api_key=[masked]",
		"api\u200b_key=abc":                                   "api_key=[masked]",
		"sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822": "sha [masked]",
		"id 123e4567-e89b-12d3-a456-426614174000":             "id 123e4567-e89b-12d3-a456-426614174000", // a UUID names a library or a crash
		"blob aGVsbG8gd29ybGQ1IHRoaXMgaXMgYSBzZWNyZXQ9Nw==":   "blob [masked]",
		"session_id: abc":                                     "session_id: [masked]",
		"SENTRY_DSN=https://abc@sentry.io/1":                  "SENTRY_DSN=[masked]",
	} {
		require.Equal(t, want, Mask(in))
	}
}

func TestWhatHelpsToUnderstandACrashIsKept(t *testing.T) {
	for _, line := range []string{
		"", "OMP: Error #15: Initializing libomp.dylib, but found libiomp5.dylib already initialized.",
		`  File "/Users/ada/Projects/Backend2/.venv/lib/python3.11/site-packages/uvicorn/protocols/http/h11_impl.py", line 419, in run_asgi`,
		"ModuleNotFoundError: No module named 'sentence_transformers'", "INFO:     127.0.0.1:52344 - \"GET /health HTTP/1.1\" 200 OK",
		"KeyError: 'x'", "max_tokens=512 temperature=0.7", "tokenizer: loading from cache", "tokenizer_config.json: 100%", "PWD=/home/ada",
		"RuntimeError: MPS backend out of memory (MPS allocated: 8.12 GB)", "[Errno 48] error while attempting to bind on address ('127.0.0.1', 8000)",
		"Fatal Python error: Segmentation fault", "Current thread 0x00007f8e3c5f6740 (most recent call first):", "model=text-embedding-3-small-with-a-long-name-2024",
		"test_that_a_very_long_function_name_is_left_alone_1", "ValueError: unexpected keyword argument 'monkey'", "author: Ada", "primary_key=3",
		"2026-03-14T14:02:30.123456+00:00 started", "/usr/lib/x86_64-linux-gnu/libdbusmenu-gtk3/python3.11/dist-packages",
	} {
		require.Equal(t, line, Mask(line))
	}
}

func TestAPrivateKeyIsMaskedWhole(t *testing.T) {
	require.Equal(t, []string{"a", "[masked] a private key", "b"}, MaskLines([]string{
		"a", "-----BEGIN RSA PRIVATE KEY-----", "short", "MIIEow", "-----END RSA PRIVATE KEY-----", "b",
	}))
	require.Equal(t, []string{"[masked] a private key"}, MaskLines([]string{"x -----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----"}))
	require.Equal(t, []string{"[masked]", "[masked]", "b"}, MaskLines([]string{"short", "MIIEow", "-----END OPENSSH PRIVATE KEY-----", "b"}), "its begin is not among the lines")
	require.Equal(t, []string{"[masked] a private key"}, MaskLines([]string{"-----BEGIN EC PRIVATE KEY-----", "short"}))
}

func TestAMaskedLineIsOnePrintableLineOfBearableLength(t *testing.T) {
	require.Equal(t, "    at indent", Mask("    at indent"))
	require.Equal(t, 500, utf8.RuneCountInString(Mask(strings.Repeat("a b ", 1000))))
	require.Equal(t, "a…", Mask("a "+strings.Repeat("x", 4<<10)), "no piece of a word that is cut")
	require.Equal(t, "…", Mask(strings.Repeat("x", 4<<10+1)))
	for _, s := range testkit.Nasty {
		got := Mask(s)
		require.True(t, utf8.ValidString(got))
		require.NotContains(t, got, "\n")
	}
}

// secrets are forms that a secret comes in; § stands for it.
var secrets = []string{
	"password=§", "PASSWORD: §", "my_api_key = '§'", `{"client_secret":"§"}`, "OPENAI_API_KEY=§", "Authorization: Bearer §",
	"https://ada:§@host/x", "postgresql+asyncpg://§@db/x", "--api-key §", "--password=§", "Cookie: id=§", "?access_token=§", "&token=§",
	// these do without a name: the secret must look like one
	"sk-§", "ghp_§", "hf_§", "AKIA§", "eyJ§.§.§", "Bearer §", "§",
}

const withName = 13 // of them

func FuzzNoMaskedSecretSurvives(f *testing.F) {
	for i := range secrets {
		f.Add("INFO before ", " after", uint8(i), []byte("some bytes of a secret"))
		f.Add("\x1b[31m", "\x00 \"x\": 'y'", uint8(i), []byte{0xff, 0xfe, 0})
		f.Add(`{"a": "b", `, "}", uint8(i), []byte("0123456789"))
	}
	f.Fuzz(func(t *testing.T, before, after string, form uint8, seed []byte) {
		// as long as a real one, of letters and digits, so that it is not in the text around it by chance
		b := make([]byte, 24)
		_, _ = rand.Read(b)
		copy(b, seed[:min(len(seed), 8)])
		secret := hex.EncodeToString(b)
		text := strings.ReplaceAll(secrets[int(form)%len(secrets)], "§", secret)
		got := Mask(before + " " + text + " " + after)
		require.NotContains(t, got, secret)
		require.NotContains(t, got, secret[len(secret)-24:], "nor its end")
		require.True(t, utf8.ValidString(got))
	})
}

func TestRandomKeysAreMaskedInAnyDress(t *testing.T) {
	for range 100 {
		b := make([]byte, 30)
		_, _ = rand.Read(b)
		for _, secret := range []string{hex.EncodeToString(b), strings.NewReplacer("+", "", "/", "").Replace(base64.StdEncoding.EncodeToString(append(b, b...)))} {
			for _, form := range secrets {
				line := strings.ReplaceAll(form, "§", secret)
				require.NotContains(t, Mask("x "+line+" y"), secret, line)
			}
		}
	}
}

func TestShortPasswordsAreMaskedWhereTheirNameIsThere(t *testing.T) {
	for _, form := range secrets[:withName] {
		for _, secret := range []string{"hunter2", "p-w_d.1", "ünï"} {
			require.NotContains(t, Mask(strings.ReplaceAll(form, "§", secret)), secret, form)
		}
	}
}

func TestDiagnosticsSayWhatHelpsAndNothingElse(t *testing.T) {
	s := testkit.In(supervisor.Healthy, time.Hour, testkit.Crashed, testkit.With(func(s *supervisor.Snapshot) {
		s.Note = "the token=hunter2 was refused"
		s.Last.Line = "openai.AuthenticationError: sk-proj-AbCdEf123456"
		s.LastReport = "/home/ada/.local/state/vivarium/b/1/crashes/one.html"
		s.Missing = []string{"OMP_NUM_THREADS"}
	}))
	r := Report{
		Version: "1.0", System: "linux/amd64", Home: "/home/ada", State: "/home/ada/.local/state/vivarium", Now: testkit.Noon,
		Log: []string{"level=INFO msg=started"},
		Backends: []BackendReport{{
			Snapshot: s, Command: []string{"/home/ada/backend/.venv/bin/python", "serve.py", "--api-key", "hunter3", "a b"},
			Python:  "/home/ada/backend/.venv/bin/python",
			Applied: []environment.Var{{Name: "OMP_NUM_THREADS", Value: "4", From: "vivarium"}, {Name: "KMP_AFFINITY", Unset: true}},
			Names:   []string{"OMP_NUM_THREADS", "OPENAI_API_KEY", "PATH"},
			Log:     []string{"INFO ok", "db postgres://ada:hunter4@db/x"},
		}},
	}
	want := `Vivarium 1.0 on linux/amd64, 2026-03-14T14:02:30Z
State folder: ~/.local/state/vivarium
Backends: 1

== backend ==
Folder: ~/backend
State: Healthy · 12 ms
Wanted: yes
Process: 4711 · Up 1 h · 1.2 GB · 4 % CPU · processes 3
Health: ok · 12 ms
Crashes in a row: 1
Last end: openmp-duplicate · two OpenMP runtimes in one process · 2026-03-14T13:42:30Z
Its line: openai.AuthenticationError: [masked]
Report: ~/.local/state/vivarium/b/1/crashes/one.html
Port: 8000
Missing variables: OMP_NUM_THREADS
Note: the token=[masked]
Python: ~/backend/.venv/bin/python
Command: ~/backend/.venv/bin/python serve.py --api-key [masked] "a b"
-- Crash environment --
OMP_NUM_THREADS=4  # vivarium
KMP_AFFINITY=(unset)
-- All variables, without their values --
OMP_NUM_THREADS OPENAI_API_KEY PATH
-- Log: ~/backend/logs/server.log --
INFO ok
db postgres://[masked]@db/x
-- Vivarium's own log --
level=INFO msg=started
`
	require.Equal(t, want, Text(r))
}

func TestASecretIsMaskedBeforeItsLineIsCut(t *testing.T) {
	s := testkit.In(supervisor.GaveUp, 0, testkit.With(func(s *supervisor.Snapshot) {
		s.Last = crash.Verdict{Kind: "x", Summary: strings.Repeat("w", 60) + " postgres://ada:hunter2hunter2@db"}
	}))
	require.NotContains(t, Text(Report{Now: testkit.Noon, Backends: []BackendReport{{Snapshot: s}}}), "hunter2")
}

func TestDiagnosticsOfARealBackendShowNoValueOfItsEnvironment(t *testing.T) {
	dir := testkit.RealTemp(t)
	state := testkit.RealTemp(t)
	t.Setenv("SOME_INHERITED_THING", "inherited-value")
	log := filepath.Join(dir, "server.log")
	for name, text := range map[string]string{
		filepath.Join(dir, "vivarium.toml"):  "command = [\"/bin/echo\", \"--password\", \"in-command\"]\n[environment]\nHARMLESS_NAME = \"own-value\"\n",
		filepath.Join(dir, ".env"):           "OTHER_NAME=file-value\n",
		log:                                  "old\nAPI_KEY=in-log\nlast line\n",
		filepath.Join(state, "vivarium.log"): "app line\n",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	text := Text(Examine([]supervisor.Snapshot{{Backend: "b", Dir: dir, Log: log}}, state))
	for _, secret := range []string{"inherited-value", "own-value", "file-value", "in-log", "in-command"} {
		require.NotContains(t, text, secret)
	}
	for _, shown := range []string{"SOME_INHERITED_THING", "HARMLESS_NAME", "OTHER_NAME", "KMP_DUPLICATE_LIB_OK=TRUE", "last line", "app line", "/bin/echo --password [masked]"} {
		require.Contains(t, text, shown)
	}
}

func TestDiagnosticsOfABrokenConfigurationSayWhy(t *testing.T) {
	dir := testkit.RealTemp(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vivarium.toml"), []byte("port = \"x\"\n"), 0o600))
	text := Text(Examine([]supervisor.Snapshot{{Dir: dir}, {Dir: filepath.Join(dir, "gone")}}, dir))
	require.Contains(t, text, "vivarium.toml:1")
	require.Contains(t, text, "there is no such folder")
}

func TestTheLastLinesAreTheLastOnes(t *testing.T) {
	path := filepath.Join(testkit.RealTemp(t), "log")
	require.Empty(t, lastLines(path, 5))
	require.Empty(t, lastLines(filepath.Dir(path), 5))
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	b.WriteString("without an end")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	require.Equal(t, []string{"line 99998", "line 99999", "without an end"}, lastLines(path, 3))
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 2*diagBytes)), 0o600))
	require.Empty(t, lastLines(path, 3), "a piece of a line could be a piece of a secret")
}

func BenchmarkMask(b *testing.B) {
	for name, line := range map[string]string{
		"usual":   `INFO:     127.0.0.1:52344 - "GET /health?token=abc HTTP/1.1" 200 OK`,
		"longest": strings.Repeat("a.b-c_d=e ", 4<<10/10),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Mask(line)
			}
		})
	}
}
