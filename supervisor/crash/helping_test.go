package crash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnExceptionsFormHasItsAdvice(t *testing.T) {
	for text, want := range map[string]string{
		"AttributeError: Can't pickle local object 'serve.<locals>.work'":                                                                                                              "top level of a module",
		"TypeError: cannot pickle '_thread.lock' object":                                                                                                                               "top level of a module",
		"RuntimeError: \n  An attempt has been made to start a new process before the\n  current process has finished its bootstrapping phase.":                                        "__main__",
		"TypeError: unsupported operand type(s) for |: 'type' and 'NoneType'":                                                                                                          "Python 3.10",
		"AssertionError: Torch not compiled with CUDA enabled":                                                                                                                         `"mps"`,
		"NotImplementedError: The operator 'aten::x' is not currently implemented for the MPS device.":                                                                                 "PYTORCH_ENABLE_MPS_FALLBACK=1",
		"TypeError: Descriptors cannot be created directly.\nIf this call came from a _pb2.py file":                                                                                    "protobuf<3.21",
		"RuntimeError: asyncio.run() cannot be called from a running event loop":                                                                                                       "await",
		"redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.":                                                                                "start that before",
		"psycopg2.OperationalError: connection to server at \"localhost\", port 5432 failed: Connection refused":                                                                       "start that before",
		"ConnectionError: Failed to connect to Ollama. Please check that Ollama is downloaded, running":                                                                                "Start Ollama",
		"socket.gaierror: [Errno -2] Name or service not known":                                                                                                                        "name was not found",
		"asyncpg.exceptions.InvalidPasswordError: password authentication failed for user \"kb\"":                                                                                      "user or the password",
		"sqlite3.OperationalError: no such table: documents":                                                                                                                           "migrations",
		"safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge":                                                                                           "download it again",
		"_pickle.UnpicklingError: invalid load key, 'v'.":                                                                                                                              "Git LFS",
		"FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'":                                                                                                             "`brew install ffmpeg`",
		"RuntimeError: Form data requires \"python-multipart\" to be installed.":                                                                                                       "pip install python-multipart",
		"openai.OpenAIError: The api_key client option must be set by setting the OPENAI_API_KEY environment variable":                                                                 "Set OPENAI_API_KEY",
		"AttributeError: module 'random' has no attribute 'randint' (consider renaming '/srv/app/random.py' since it has the same name as the standard library module named 'random')": "Rename your file /srv/app/random.py",

		"AttributeError: partially initialized module 'random' has no attribute 'Random' (most likely due to a circular import)": "has the name random",

		"FileNotFoundError: [Errno 2] No such file or directory: 'data'":     "",
		"FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg/x'": "",
		"TypeError: unsupported operand type(s) for |: 'int' and 'str'":      "",
		"ValueError: the loop is too long":                                   "",
		"PermissionError: the user refused":                                  "",
		"RuntimeError: the driver is to be installed":                        "",
	} {
		got := askedFor(text)
		if want == "" {
			require.Empty(t, got, text)
			continue
		}
		require.Contains(t, got, want, text)
		require.NotContains(t, got, "%s")
	}
}
