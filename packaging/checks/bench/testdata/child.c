// The supervised program of the bench, small enough that its own start does not count.
//   child flood BYTES CHUNK RESULT   write numbered 100-byte lines in writes of CHUNK bytes; append "nanoseconds lines" to RESULT
//   child beacon FILE                append "pid nanoseconds" of the monotonic clock to FILE, then sleep for ever
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int note(const char *file, long long a, long long b) {
	char line[64];
	int n = snprintf(line, sizeof line, "%lld %lld\n", a, b);
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
	return fd >= 0 && write(fd, line, n) == n ? 0 : 1;
}

static int flood(long long total, int chunk, const char *result) {
	char *buffer = malloc(chunk + 128);
	long long sent = 0, lines = 0, start = now();
	if (!buffer)
		return 1;
	while (sent < total) {
		int n = 0;
		for (; n < chunk; n += 100) {
			int k = snprintf(buffer + n, 100, "%012lld INFO request handled path=/search k=10 latency_ms=12.345 ", lines++);
			memset(buffer + n + k, 'x', 99 - k);
			buffer[n + 99] = '\n';
		}
		for (int done = 0; done < n;) {
			ssize_t w = write(1, buffer + done, n - done);
			if (w < 0)
				return 1;
			done += w;
		}
		sent += n;
	}
	return note(result, now() - start, lines);
}

int main(int argc, char **argv) {
	if (argc == 5 && !strcmp(argv[1], "flood"))
		return flood(atoll(argv[2]), atoi(argv[3]), argv[4]);
	if (argc == 3 && !strcmp(argv[1], "beacon")) {
		if (note(argv[2], getpid(), now()))
			return 1;
		for (;;)
			pause();
	}
	return 2;
}
