/* Preloaded into a Python process: counts the operations that change files, and at a chosen one kills the process or
   fails as a full disk would. Python, safetensors and TensorBoard all come through here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long count, target;
static int armed, mode; /* mode 0: count only, 1: SIGKILL, 2: ENOSPC once, 3: ENOSPC from there on */

void injector_arm(int how, long at) { count = 0; mode = how; target = at; armed = 1; }
long injector_disarm(void) { armed = 0; return count; }

/* grows: whether a full disk would refuse it */
static int fails(int grows) {
    if (!armed) return 0;
    if (mode >= 2 && !grows) return 0;
    ++count;
    if (mode == 1 && count == target) kill(getpid(), SIGKILL);
    if ((mode == 2 && count == target) || (mode == 3 && count >= target)) { errno = ENOSPC; return 1; }
    return 0;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

#define OPEN(name, symbol)                                                     \
    int name(const char *path, int flags, ...) {                               \
        REAL(int, symbol, const char *, int, ...);                             \
        va_list rest; va_start(rest, flags); mode_t bits = va_arg(rest, mode_t); va_end(rest); \
        if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && fails((flags & O_CREAT) != 0)) return -1; \
        return real(path, flags, bits);                                        \
    }
OPEN(open, "open")
OPEN(open64, "open64")

#define OPENAT(name, symbol)                                                   \
    int name(int at, const char *path, int flags, ...) {                       \
        REAL(int, symbol, int, const char *, int, ...);                        \
        va_list rest; va_start(rest, flags); mode_t bits = va_arg(rest, mode_t); va_end(rest); \
        if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && fails((flags & O_CREAT) != 0)) return -1; \
        return real(at, path, flags, bits);                                    \
    }
OPENAT(openat, "openat")
OPENAT(openat64, "openat64")

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    struct stat facts;
    int file = armed && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
    if (file && fails(1)) {
        if (size > 1) real(fd, data, size / 2); /* a full disk takes what it can */
        errno = ENOSPC;
        return -1;
    }
    return real(fd, data, size);
}

#define PLAIN(name, grows, parameters, types, arguments)                       \
    int name parameters {                                                      \
        REAL(int, #name, types);                                               \
        return fails(grows) ? -1 : real arguments;                             \
    }
#define TYPES(...) __VA_ARGS__
PLAIN(fsync, 1, (int fd), TYPES(int), (fd))
PLAIN(mkdir, 1, (const char *path, mode_t bits), TYPES(const char *, mode_t), (path, bits))
PLAIN(rename, 1, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
PLAIN(unlink, 0, (const char *path), TYPES(const char *), (path))
PLAIN(unlinkat, 0, (int at, const char *path, int flags), TYPES(int, const char *, int), (at, path, flags))
PLAIN(rmdir, 0, (const char *path), TYPES(const char *), (path))
