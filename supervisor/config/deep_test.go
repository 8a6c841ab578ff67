package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-app/vivarium/supervisor/testkit"
)

func deepOf(t *testing.T, text string) Deep {
	t.Helper()
	c, err := Load(testkit.BackendDir(t, text))
	require.NoError(t, err)
	return c.Health.Deep
}

func TestThereIsNoDeepProbeUnlessItIsWritten(t *testing.T) {
	require.Equal(t, Deep{}, deepOf(t, ""))
	require.Equal(t, Deep{}, deepOf(t, "[health]\npath = '/health'\n"))
}

func TestADeepProbeNeedsNoMoreThanAPath(t *testing.T) {
	plain := Deep{Path: "/v1/models", Method: "GET", Interval: 5 * time.Minute, Timeout: time.Minute}
	for _, text := range []string{"[health.deep]\npath = '/v1/models'", "[health]\ndeep = {path = '/v1/models'}", "health.deep.path = '/v1/models'"} {
		require.Equal(t, plain, deepOf(t, text), text)
	}
}

func TestEveryKeyOfTheDeepProbeIsRead(t *testing.T) {
	d := deepOf(t, `
[health.deep]
path = "/v1/chat?key=${KEY}"
method = "POST"
body = '{"model": "${MODEL:-small}"}'
content_type = "application/x-own"
expect = "choices"
interval = "90s"
timeout = "2m"
[health.deep.headers]
Authorization = "Bearer ${KEY}"
`)
	require.Equal(t, Deep{
		Path: "/v1/chat?key=${KEY}", Method: "POST", Body: `{"model": "${MODEL:-small}"}`, ContentType: "application/x-own", Text: "choices",
		Headers: map[string]string{"Authorization": "Bearer ${KEY}"}, Interval: 90 * time.Second, Timeout: 2 * time.Minute,
	}, d)
	require.Equal(t, "POST /v1/chat?key=${KEY}", d.Named())
}

func TestABodyIsPostedAsJSONUnlessItIsSaidOtherwise(t *testing.T) {
	d := deepOf(t, "[health.deep]\npath = '/x'\nbody = '{}'\nexpect = 202")
	require.Equal(t, "POST", d.Method)
	require.Equal(t, "application/json", d.ContentType)
	require.Equal(t, 202, d.Status)
}

func TestMistakesOfTheDeepProbeAreToldWithTheirLine(t *testing.T) {
	const path = "[health.deep]\npath = '/x'\n"
	for _, m := range []struct {
		name, text  string
		line        int
		key         string
		says, mends string
	}{
		{"no path", "\n[health.deep]\ninterval = '5m'", 2, "health.deep", "has no path", "path = "},
		{"no path, dotted", "\nhealth.deep.expect = 200", 2, "health.deep", "has no path", "path = "},
		{"an empty path", "[health.deep]\npath = ''", 1, "health.deep", "has no path", "path = "},
		{"a whole address", "[health.deep]\npath = 'http://127.0.0.1/x'", 2, "health.deep.path", "is a whole address", `path = "/v1`},
		{"a path without a slash", "[health.deep]\npath = '${X}'", 2, "health.deep.path", `does not begin with "/"`, "path = "},
		{"nowhere to ask", "command = ['x']\nport = 0\n" + path, 3, "health.deep", "listens nowhere", "set a port"},
		{"another method", path + "method = 'PUT'", 3, "health.deep.method", `"PUT" is not known`, "GET"},
		{"a method in small letters", path + "method = 'post'", 3, "health.deep.method", `"post" is not known`, `"POST"`},
		{"a body with GET", path + "method = 'GET'\nbody = 'x'", 4, "health.deep.body", "goes with no GET", "POST"},
		{"a type with a line break", path + "body = 'x'\ncontent_type = \"a\\nb\"", 4, "health.deep.content_type", "is no type", "application/json"},
		{"a status as a text", path + "expect = '200'", 3, "health.deep.expect", "looks like a status", "expect = 200"},
		{"a status that is none", path + "expect = 20", 3, "health.deep.expect", "20 is no status", "expect = 200"},
		{"a switch as expectation", path + "expect = true", 3, "health.deep.expect", "wants a status, or a text", "expect = 200"},
		{"nothing expected", path + "expect = ''", 3, "health.deep.expect", "is empty", "expect = 200"},
		{"a long expectation", path + "expect = '" + strings.Repeat("x", 10_001) + "'", 3, "health.deep.expect", "longer than", "short text"},
		{"too often", path + "interval = '500ms'", 3, "health.deep.interval", "too short", "at least 1s"},
		{"no unit", path + "timeout = '60'", 3, "health.deep.timeout", "has no unit", `timeout = "60s"`},
		{"a header's name", path + "[health.deep.headers]\n'a b' = 'c'", 4, "health.deep.headers.a b", "no name of a header", "Authorization"},
		{"a header of ours", path + "headers = {Host = 'x'}", 3, "health.deep.headers.Host", "is set by Vivarium", "remove it"},
		{"a header with a line break", path + "headers = {X = \"a\\r\\nb: c\"}", 3, "health.deep.headers.X", "line break", "Authorization"},
		{"a header as a number", path + "[health.deep.headers]\nX = 1", 4, "health.deep.headers.X", "wants a text in quotes", "Authorization"},
		{"a reference to nothing", path + "body = '${}'", 3, "health.deep.body", "names no variable", "${NAME}"},
		{"an unknown key", path + "retries = 3", 3, "health.deep.retries", "is not a key", "remove it"},
		{"a key with a slip", path + "intervall = '5m'", 3, "health.deep.intervall", "is not a key", "interval in [health.deep]"},
		{"a section that is a text", "[health]\ndeep = '/x'", 2, "health.deep", "wants a section, not a string", "[health.deep]"},
	} {
		t.Run(m.name, func(t *testing.T) {
			_, err := Load(testkit.BackendDir(t, m.text))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, m.line, e.Line, e.Error())
			require.Equal(t, m.key, e.Key)
			require.Contains(t, e.Problem, m.says)
			require.Contains(t, e.Remedy, m.mends)
		})
	}
}

func TestAMistakeOfAnotherSectionIsNotSentIntoTheDeepOne(t *testing.T) {
	_, err := Load(testkit.BackendDir(t, "interval = '5s'"))
	require.ErrorContains(t, err, "did you mean interval in [health]?")
}

func TestNoMistakeInAHeaderTellsItsValue(t *testing.T) {
	for _, text := range []string{"X = \"hunter2\\n\"", "'a b' = 'hunter2'", "Host = 'hunter2'"} {
		_, err := Load(testkit.BackendDir(t, "[health.deep]\npath = '/x'\n[health.deep.headers]\n"+text))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestValuesOfTheEnvironmentTakeTheirPlace(t *testing.T) {
	env := []string{"KEY=old", "EMPTY=", "KEY=s3cr+t &/x"}
	d := Deep{
		Path: "/m/${KEY}?k=${KEY}&d=${NO:-a b}", Body: `{"k": "${KEY}", "e": "${EMPTY}", "d": "${EMPTY:-x}", "$KEY": 1}`, ContentType: "text/plain",
		Headers: map[string]string{"Authorization": "Bearer ${KEY}"},
	}
	filled, values, err := d.Fill(env)
	require.NoError(t, err)
	require.Equal(t, "/m/s3cr%2Bt%20%26/x?k=s3cr%2Bt%20%26/x&d=a%20b", filled.Path)
	require.Equal(t, `{"k": "s3cr+t &/x", "e": "", "d": "x", "$KEY": 1}`, filled.Body)
	require.Equal(t, "Bearer s3cr+t &/x", filled.Headers["Authorization"])
	require.Contains(t, values, "s3cr+t &/x")
	require.Equal(t, "Bearer ${KEY}", d.Headers["Authorization"], "what is written stays")
}

func TestAVariableThatIsNotSetIsNamed(t *testing.T) {
	_, _, err := Deep{Path: "/x", Body: "${KEY}"}.Fill(nil)
	var unset *UnsetError
	require.ErrorAs(t, err, &unset)
	require.Equal(t, "KEY", unset.Name)
	_, _, err = Deep{Path: "/x", Headers: map[string]string{"A": "${KEY}"}}.Fill([]string{"KEY=hunter2\nX: y"})
	require.ErrorContains(t, err, "line break")
	require.NotContains(t, err.Error(), "hunter2")
}
