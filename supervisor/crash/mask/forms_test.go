package mask

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASecretIsMaskedInEveryFormInWhichItIsPrinted(t *testing.T) {
	for _, line := range []string{
		`headers: [(b'host', b'localhost'), (b'x-api-key', b'hunter2abc'), (b'accept', b'*/*')]`,
		`[('X-Auth-Token', 'hunter2abc')]`,
		`["password", "hunter2abc"]`,
		`body {\"password\": \"hunter2abc\", \"user\": \"kim\"}`,
		`body {\\\"token\\\": \\\"hunter2abc\\\"}`,
		`DRIVER={ODBC Driver 18};SERVER=db;UID=sa;PWD=hunter2abc;Encrypt=yes`,
		`Driver=x;pwd=hunter2abc`,
		`<user>kim</user><password>hunter2abc</password>`,
		`<ns:api-key scheme="x">hunter2abc</ns:api-key>`,
		`Cookie PHPSESSID=hunter2abc`,
		`connect.sid=hunter2abc`,
		`csrftoken: hunter2abc`, `X-XSRF-TOKEN: hunter2abc`, `csrfmiddlewaretoken=hunter2abc`,
		`answered 302 to http://kim:hunter2abc@127.0.0.1:8000/login?token=hunter2abc&next=/`,
		`GET /health?api_key=hunter2abc HTTP/1.1`,
	} {
		require.NotContains(t, Line(line), "hunter2abc", line)
	}
	require.Contains(t, Line(`[(b'host', b'localhost'), (b'x-api-key', b'hunter2abc'), (b'accept', b'*/*')]`), "accept", "what is no secret stays")
	require.Contains(t, Line(`{\"password\": \"hunter2abc\", \"user\": \"kim\"}`), "kim")
	require.Contains(t, Line("<user>kim</user><password>hunter2abc</password>"), "kim")
}

func TestASecretOnTheLineBelowItsNameIsMasked(t *testing.T) {
	for _, lines := range [][]string{
		{"API key:", "  hunter2abc"}, {`"password":`, `    "hunter2abc"`}, {"starting with --api-key", "hunter2abc"}, {"token =", "", "hunter2abc"},
		{`  "client_secret",`, `  "hunter2abc"`}, {"openai_api_key", "  String should match [type=string, input_value='hunter2abc', input_type=str]"},
		{"password:", "hunter2abc", "next line"},
	} {
		out := strings.Join(Lines(lines), "\n")
		require.NotContains(t, out, "hunter2abc", "%q", lines)
	}
	require.Equal(t, []string{"password:[masked]", "[masked]", "next line"}, Lines([]string{"password:", "hunter2abc", "next line"}))
	require.Equal(t, []string{"openai_api_key", "  Field required [type=missing, input_value=[masked], input_type=dict]"},
		Lines([]string{"openai_api_key", "  Field required [type=missing, input_value={}, input_type=dict]"}))
	require.Equal(t, []string{"loading tokens:", "  12 of 40"}, Lines([]string{"loading tokens:", "  12 of 40"}))
}

// The line that decided can be found again in the log only if it stands as it was.
func TestWhatOnlyLooksRandomIsLeftAlone(t *testing.T) {
	for _, line := range []string{
		"/AppleInternal/Library/BuildRoots/4b66fb3c-7dd0-11ef-b4fb-4a83e32a47e1/Library/Caches/com.apple.xbs/Sources/MetalPerformanceShaders/MPSCore/Types/MPSNDArray.mm:724: failed assertion `x'",
		"code signature in <3C9A1F20-64D1-3B5E-9E0B-0C7E43B8A1D5> '/opt/x/core.so' not valid for use in process",
		"task 0d6f8a10-1c9b-4d2c-8f1f-6b1d1a1f7e55 received",
		"/nix/store/8w718rm43x7z73xhw9d6vh8s4snrq67h-python3-3.12.4/bin/python3.12: No module named x",
		"/home/kim/.cache/huggingface/hub/models--a--b/snapshots/5617a9f61b028005a4858fdac845db406aefb181/config.json",
		"/private/var/folders/8p/7k3h2x4n5v9l0q2wq8d8r00000gn/T/pip-build-env-x1y2z3/overlay",
		"PWD=/home/kim/chat", "OLDPWD=/",
		"<module>main</module>", `['GET', '/health']`,
	} {
		require.Equal(t, line, Line(line))
	}
	for _, line := range []string{"key 5617a9f61b028005a4858fdac845db406aefb181", "Zk93jdLq0PxY72mNvB4tRw8sHc5uGf1eD6aJ", "a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7"} {
		require.Contains(t, Line(line), masked, line)
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{`(b'x-api-key', b'a')`, `{\"password\": \"a\"}`, "<password>a</password>", "PWD=a;", "\xff\x1b[0m", "token:\nx", "['a', '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range Lines(strings.Split(text, "\n")) {
			if strings.ContainsAny(l, "\x1b\r\n\x00") {
				t.Fatalf("%q", l)
			}
		}
	})
}
