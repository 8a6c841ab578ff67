/* A program with Python in it, in one of the ways in which people build such. It prints what Python says of its sitecustomize, and waits. */
#include <Python.h>
#include <pthread.h>
#include <string.h>

static const char *code =
    "import sys\n"
    "print('sitecustomize' in sys.modules, [p for p in sys.path if 'recorder' in p], flush=True)\n";
static const char *waits = "import time\nprint('up', flush=True)\ntime.sleep(100000)\n";

static int start(const char *how) {
    PyConfig config;
    if (strcmp(how, "frozen") == 0) { /* as PyInstaller's programs start: isolated, and without site */
        PyConfig_InitIsolatedConfig(&config);
        config.site_import = 0;
    } else {
        PyConfig_InitPythonConfig(&config);
    }
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        return 1;
    return PyRun_SimpleString(code);
}

static void *in_a_thread(void *how) {
    long failed = start("embedded");
    PyRun_SimpleString("print('up', flush=True)\n");
    (void)how;
    PyEval_SaveThread();
    return (void *)failed;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "thread") == 0) {
        pthread_t thread;
        void *failed = NULL;
        pthread_create(&thread, NULL, in_a_thread, argv[1]);
        pthread_join(thread, &failed);
        if (failed != NULL)
            return 1;
        for (;;)
            pause();
    }
    if (start(argv[1]) != 0)
        return 1;
    if (strcmp(argv[1], "subinterpreter") == 0) {
        PyThreadState *first = PyThreadState_Get(), *second = Py_NewInterpreter();
        if (second == NULL || PyRun_SimpleString(code) != 0)
            return 1;
        PyRun_SimpleString("import threading\nt = threading.Thread(target=print, args=('thread',))\nt.start()\nt.join()\n");
        Py_EndInterpreter(second);
        PyThreadState_Swap(first);
    }
    return PyRun_SimpleString(waits);
}
