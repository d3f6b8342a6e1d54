/* An undo log of what one process did to the files of a folder since their last sync, kept so that it outlives SIGKILL.
 *
 * Loaded with LD_PRELOAD. Before each change it writes down what would take the change back; after each sync it writes
 * down what the sync made safe. `e2e/tests/it/crash/undo.rs` reads that log after the kill and leaves the folder as a power
 * loss at that moment could have left it. The same page of memory through which it counts lets a test kill the process at
 * the n-th change or sync, and fill the disk. README.md beside this file says what is covered and what is not.
 *
 * Order: one lock around "write down, then do", so the log's order is the order of the changes. Syncs run outside it: a
 * sync vouches for what was done before it began, and for nothing else. Own reads and writes are raw system calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The page that a test shares with the process. The order of the fields is known to `shim.rs`. */
struct control {
    uint64_t changes;     /* changes written down */
    uint64_t syncs;       /* syncs begun */
    uint64_t seq;         /* records in the log */
    uint64_t kill_change; /* die at this change; 0 = never */
    uint64_t kill_sync;   /* die at this sync; 0 = never */
    uint64_t kill_place;  /* 0 before it, 1 half done, 2 done and not yet told */
    int64_t room;         /* bytes by which files may still grow; below 0 = no limit */
    uint64_t refused;     /* changes refused for want of room */
    uint64_t unseen;      /* things that this library cannot take back: a failed test */
    uint64_t calls;       /* calls of the write family, on any descriptor */
    uint64_t own;         /* writes of this library itself */
    uint64_t trash;       /* files kept because their name went */
};

enum kind { WRITE = 1, TRUNCATE, CREATE, REMOVE, RENAME, RMDIR, SYNC, SYNC_ALL };

/* One record; then `name`, `name2` and `data` bytes follow. The form is known to `undo.rs`. */
struct record {
    uint32_t magic, kind;
    uint64_t seq, ino, dir, ino2, dir2, offset, length, old_size, trash;
    uint32_t name, name2;
    uint64_t data;
};
#define MAGIC 0x55444f31u

static struct control *page;
static int log_fd = -1;
static pid_t owner;
static char root[PATH_MAX], place[PATH_MAX], patterns[1024], library[PATH_MAX];
static size_t root_len;
static dev_t device;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Inodes below the folder that somebody may write to. */
#define SLOTS 65536
static struct { uint64_t ino; char state; } seen[SLOTS]; /* state: 0 free, 't' taken back, 's' skipped, 'f' forgotten */

static __attribute__((noreturn)) void die(void)
{
    for (;;)
        syscall(SYS_kill, getpid(), SIGKILL);
}

static void unseen(const char *what)
{
    __atomic_add_fetch(&page->unseen, 1, __ATOMIC_SEQ_CST);
    dprintf(2, "storage shim: cannot take back: %s\n", what);
}

static size_t slot_of(uint64_t ino)
{
    size_t at = (ino * 0x9e3779b97f4a7c15u) >> 48;
    while (seen[at].state && seen[at].ino != ino)
        at = (at + 1) % SLOTS;
    return at;
}

static void remember(uint64_t ino, char state)
{
    size_t at = slot_of(ino);
    if (state == 'f' && !seen[at].state)
        return;
    seen[at].ino = ino;
    seen[at].state = state;
}

/* Takes the lock and says 't' or 's' for a file of ours; takes nothing and says 0 for any other descriptor. Pipes and
 * sockets never wait for the lock: a signal handler may write to them. */
static char enter(int fd, struct stat *st)
{
    if (!page || fstat(fd, st) || !S_ISREG(st->st_mode) || st->st_dev != device)
        return 0;
    pthread_mutex_lock(&lock);
    char state = seen[slot_of(st->st_ino)].state;
    if ((state == 't' || state == 's') && !fstat(fd, st))
        return state;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void leave(char state)
{
    if (state)
        pthread_mutex_unlock(&lock);
}

/* The absolute path of what `path` names, its folder resolved and its last part as it is. */
static int resolve(int dirfd, const char *path, char out[PATH_MAX])
{
    char joined[2 * PATH_MAX], folder[PATH_MAX];
    if (path[0] == '/') {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        char base[PATH_MAX];
        if (dirfd == AT_FDCWD) {
            if (!getcwd(base, sizeof base))
                return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n <= 0)
                return 0;
            base[n] = 0;
        }
        snprintf(joined, sizeof joined, "%s/%s", base, path);
    }
    size_t end = strlen(joined);
    while (end > 1 && joined[end - 1] == '/')
        joined[--end] = 0;
    char *last = strrchr(joined, '/');
    if (!last || strlen(joined) >= PATH_MAX)
        return 0;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", last + 1);
    *(last == joined ? last + 1 : last) = 0;
    if (!realpath(joined, folder))
        return 0;
    return snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", name) < PATH_MAX;
}

/* 't' below the folder, 's' below it and on the list of what is left alone, 0 elsewhere. */
static char inside(const char *path)
{
    if (strncmp(path, root, root_len) || path[root_len] != '/')
        return 0;
    char list[sizeof patterns];
    strcpy(list, patterns);
    char *rest = NULL;
    for (char *one = strtok_r(list, ":", &rest); one; one = strtok_r(NULL, ":", &rest))
        if (!fnmatch(one, path + root_len + 1, 0))
            return 's';
    return 't';
}

static uint64_t folder_of(const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    snprintf(folder, sizeof folder, "%s", path);
    char *last = strrchr(folder, '/');
    *(last == folder ? last + 1 : last) = 0;
    return stat(folder, &st) ? 0 : st.st_ino;
}

static void note(struct record *r, const char *name, const char *name2, const void *data)
{
    r->magic = MAGIC;
    r->seq = ++page->seq;
    r->name = name ? strlen(name) : 0;
    r->name2 = name2 ? strlen(name2) : 0;
    struct iovec parts[4] = {
        {r, sizeof *r}, {(void *)name, r->name}, {(void *)name2, r->name2}, {(void *)data, r->data}};
    size_t all = sizeof *r + r->name + r->name2 + r->data;
    page->own++;
    if (syscall(SYS_writev, log_fd, parts, 4) != (ssize_t)all)
        unseen("the undo log itself cannot be written");
}

/* Counts a change and dies there if this is the one. True when only half of it is to be done. */
static int change(void)
{
    int now = ++page->changes == page->kill_change;
    if (now && page->kill_place == 0)
        die();
    return now;
}

static void changed(int last)
{
    if (last)
        die();
}

/* Up to `length` bytes of a file from `offset`, as they are now. */
static void *content(int fd, uint64_t offset, uint64_t length, uint64_t *got)
{
    *got = 0;
    char *bytes = malloc(length ? length : 1);
    /* The descriptor may be open for writing only. */
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int own = syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    while (bytes && own >= 0 && *got < length) {
        ssize_t n = syscall(SYS_pread64, own, bytes + *got, length - *got, offset + *got);
        if (n <= 0)
            break;
        *got += n;
    }
    if (own < 0 || !bytes)
        unseen("a file cannot be read before it is changed");
    if (own >= 0)
        syscall(SYS_close, own);
    return bytes;
}

static void note_region(int fd, const struct stat *st, uint64_t offset, uint64_t length)
{
    struct record r = {.kind = WRITE, .ino = st->st_ino, .offset = offset, .length = length, .old_size = st->st_size};
    uint64_t end = offset + length < (uint64_t)st->st_size ? offset + length : (uint64_t)st->st_size;
    void *old = end > offset ? content(fd, offset, end - offset, &r.data) : NULL;
    note(&r, NULL, NULL, old);
    free(old);
}

static void note_size(int fd, const struct stat *st, uint64_t size)
{
    struct record r = {.kind = TRUNCATE, .ino = st->st_ino, .offset = size, .old_size = st->st_size};
    void *old = size < (uint64_t)st->st_size ? content(fd, size, st->st_size - size, &r.data) : NULL;
    note(&r, NULL, NULL, old);
    free(old);
}

static void note_sync(uint64_t ino, uint64_t upto)
{
    struct record r = {.kind = ino ? SYNC : SYNC_ALL, .ino = ino, .offset = upto};
    note(&r, NULL, NULL, NULL);
}

/* Takes `growth` bytes of the room that is left and returns how many of them there were. */
static uint64_t take_room(uint64_t growth)
{
    if (page->room < 0 || !growth)
        return growth;
    uint64_t given = growth < (uint64_t)page->room ? growth : (uint64_t)page->room;
    page->room -= given;
    if (given < growth)
        page->refused++;
    return given;
}

/* Every way to write bytes: at `offset`, or where the descriptor stands when it is negative. */
static ssize_t put(int fd, const struct iovec *parts, int count, int64_t offset)
{
    struct stat st;
    if (page)
        __atomic_add_fetch(&page->calls, 1, __ATOMIC_RELAXED);
    char state = enter(fd, &st);
    if (!state)
        return offset < 0 ? syscall(SYS_writev, fd, parts, count)
                          : syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    int flags = syscall(SYS_fcntl, fd, F_GETFL);
    uint64_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    int64_t at = flags & O_APPEND ? st.st_size : offset >= 0 ? offset : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    uint64_t end = at + length, growth = end > (uint64_t)st.st_size ? end - st.st_size : 0;
    uint64_t given = take_room(growth);
    if (given < growth && growth - given >= length) {
        pthread_mutex_unlock(&lock);
        errno = ENOSPC;
        return -1;
    }
    length -= growth - given;
    int last = 0;
    if (state == 't') {
        last = change();
        note_region(fd, &st, at, length);
        if (last && page->kill_place == 1)
            length /= 2;
    }
    struct iovec cut[count > 0 ? count : 1];
    int used = 0;
    for (uint64_t left = length; used < count && (left || !used); used++) {
        cut[used] = parts[used];
        if (cut[used].iov_len > left)
            cut[used].iov_len = left;
        left -= cut[used].iov_len;
    }
    ssize_t done = offset < 0 ? syscall(SYS_writev, fd, cut, used)
                              : syscall(SYS_pwritev, fd, cut, used, (long)offset, 0L);
    int failed = errno;
    if (done >= 0 && state == 't' && flags & O_DSYNC)
        note_sync(st.st_ino, page->seq);
    changed(last);
    pthread_mutex_unlock(&lock);
    errno = failed;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    struct iovec one = {(void *)bytes, length};
    return put(fd, &one, 1, -1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    struct iovec one = {(void *)bytes, length};
    if (offset < 0) {
        errno = EINVAL;
        return -1;
    }
    return put(fd, &one, 1, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) { return put(fd, parts, count, -1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return put(fd, parts, count, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return put(fd, parts, count, offset); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
    (void)flags;
    return put(fd, parts, count, offset);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return pwritev64v2(fd, parts, count, offset, flags);
}

static int resize(int fd, int64_t size)
{
    struct stat st;
    char state = enter(fd, &st);
    int last = 0;
    /* A longer file is a hole: it takes no room. */
    if (state == 't') {
        last = change();
        note_size(fd, &st, size);
    }
    int done = syscall(SYS_ftruncate, fd, size), failed = errno;
    changed(last);
    leave(state);
    errno = failed;
    return done;
}
int ftruncate64(int fd, off64_t size) { return resize(fd, size); }
int ftruncate(int fd, off_t size) { return resize(fd, size); }

static char *where(int dirfd, const char *path, char out[PATH_MAX], char *state)
{
    *state = 0;
    if (!page || !path || !resolve(dirfd, path, out))
        return NULL;
    *state = inside(out);
    return out;
}

int truncate64(const char *path, off64_t size)
{
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    char full[PATH_MAX], state;
    struct stat st;
    where(AT_FDCWD, path, full, &state);
    if (state && !fstat(fd, &st)) {
        pthread_mutex_lock(&lock);
        remember(st.st_ino, state);
        pthread_mutex_unlock(&lock);
    }
    int done = resize(fd, size), failed = errno;
    syscall(SYS_close, fd);
    errno = failed;
    return done;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    struct stat st;
    char state = enter(fd, &st);
    int last = 0;
    if (state) {
        uint64_t end = offset + length, growth = end > (uint64_t)st.st_size ? end - st.st_size : 0;
        if (take_room(growth) < growth) {
            pthread_mutex_unlock(&lock);
            errno = ENOSPC;
            return -1;
        }
        if (state == 't') {
            last = change();
            if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
                unseen("a range of a file is moved");
            note_region(fd, &st, offset, length);
        }
    }
    int done = syscall(SYS_fallocate, fd, mode, offset, length), failed = errno;
    changed(last);
    leave(state);
    errno = failed;
    return done;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    return fallocate64(fd, 0, offset, length) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

/* Copies within the kernel: the region that they overwrite is written down first. */
static ssize_t copy(int out, const off64_t *at, size_t length, ssize_t (*run)(void *), void *given)
{
    struct stat st;
    if (page)
        __atomic_add_fetch(&page->calls, 1, __ATOMIC_RELAXED);
    char state = enter(out, &st);
    int last = 0;
    if (state) {
        int64_t from = at ? *at : syscall(SYS_lseek, out, 0L, SEEK_CUR);
        if (page->room >= 0) {
            page->refused++;
            pthread_mutex_unlock(&lock);
            errno = ENOSPC;
            return -1;
        }
        if (state == 't') {
            last = change();
            note_region(out, &st, from, length);
        }
    }
    ssize_t done = run(given);
    int failed = errno;
    changed(last);
    leave(state);
    errno = failed;
    return done;
}
struct copying { int in, out; off64_t *from, *to; size_t length; unsigned flags; };
static ssize_t run_range(void *g)
{
    struct copying *c = g;
    return syscall(SYS_copy_file_range, c->in, c->from, c->out, c->to, c->length, c->flags);
}
static ssize_t run_sendfile(void *g)
{
    struct copying *c = g;
    return syscall(SYS_sendfile, c->out, c->in, c->from, c->length);
}
static ssize_t run_splice(void *g)
{
    struct copying *c = g;
    return syscall(SYS_splice, c->in, c->from, c->out, c->to, c->length, c->flags);
}
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags)
{
    struct copying c = {in, out, from, to, length, flags};
    return copy(out, to, length, run_range, &c);
}
ssize_t sendfile64(int out, int in, off64_t *from, size_t length)
{
    struct copying c = {in, out, from, NULL, length, 0};
    return copy(out, NULL, length, run_sendfile, &c);
}
ssize_t sendfile(int out, int in, off_t *from, size_t length) { return sendfile64(out, in, from, length); }
ssize_t splice(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags)
{
    struct copying c = {in, out, from, to, length, flags};
    return copy(out, to, length, run_splice, &c);
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    char full[PATH_MAX], state = 0;
    if (!page || !(writes || flags & (O_CREAT | O_TRUNC)) || !where(dirfd, path, full, &state))
        return syscall(SYS_openat, dirfd, path, flags, mode);
    struct stat before, st;
    pthread_mutex_lock(&lock);
    int there = !fstatat(AT_FDCWD, full, &before, 0), last = 0;
    if ((flags & O_TMPFILE) == O_TMPFILE && state)
        unseen("a file without a name");
    if (state == 't' && there && flags & O_TRUNC && !(flags & O_EXCL && flags & O_CREAT) && S_ISREG(before.st_mode)) {
        int own = syscall(SYS_openat, AT_FDCWD, full, O_RDONLY | O_CLOEXEC, 0);
        last = change();
        note_size(own, &before, 0);
        syscall(SYS_close, own);
    }
    int fd = syscall(SYS_openat, dirfd, path, flags, mode), failed = errno;
    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_dev == device) {
        remember(st.st_ino, state ? state : 'f');
        /* Its number is known only now. A kill in between leaves a new empty file, which a power loss may leave too. */
        if (state == 't' && !there) {
            last = change();
            struct record r = {.kind = CREATE, .ino = st.st_ino, .dir = folder_of(full)};
            note(&r, full, NULL, NULL);
        }
    }
    changed(last);
    pthread_mutex_unlock(&lock);
    errno = failed;
    return fd;
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, unsigned);                                                                                 \
        va_end(more);                                                                                                  \
    }
int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int dirfd, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Keeps what a name stood for, so that the name can come back. */
static uint64_t keep(const char *full)
{
    char kept[PATH_MAX + 64];
    uint64_t number = ++page->trash;
    snprintf(kept, sizeof kept, "%s/trash/%llu", place, (unsigned long long)number);
    if (syscall(SYS_linkat, AT_FDCWD, full, AT_FDCWD, kept, 0))
        unseen("a file cannot be kept before its name goes");
    return number;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char old[PATH_MAX], new[PATH_MAX], old_state, new_state;
    where(from_dir, from, old, &old_state);
    where(to_dir, to, new, &new_state);
    struct stat moved, replaced;
    if (old_state != 't' && new_state != 't')
        return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (!old_state || !new_state || flags & ~RENAME_NOREPLACE)
        unseen("a rename across the border of the folder, or an exchange");
    pthread_mutex_lock(&lock);
    int last = 0;
    if (!fstatat(AT_FDCWD, old, &moved, AT_SYMLINK_NOFOLLOW)) {
        struct record r = {.kind = RENAME, .ino = moved.st_ino, .dir = folder_of(old), .dir2 = folder_of(new)};
        if (!(flags & RENAME_NOREPLACE) && !fstatat(AT_FDCWD, new, &replaced, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(replaced.st_mode) && replaced.st_ino != moved.st_ino) {
            r.ino2 = replaced.st_ino;
            r.trash = keep(new);
        }
        last = change();
        note(&r, old, new, NULL);
    }
    int done = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags), failed = errno;
    changed(last);
    pthread_mutex_unlock(&lock);
    errno = failed;
    return done;
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int dirfd, const char *path, int flags)
{
    char full[PATH_MAX], state;
    struct stat st;
    where(dirfd, path, full, &state);
    if (state != 't')
        return syscall(SYS_unlinkat, dirfd, path, flags);
    pthread_mutex_lock(&lock);
    int last = 0;
    if (!fstatat(AT_FDCWD, full, &st, AT_SYMLINK_NOFOLLOW)) {
        struct record r = {.kind = flags & AT_REMOVEDIR ? RMDIR : REMOVE, .ino = st.st_ino, .dir = folder_of(full)};
        if (r.kind == REMOVE && !S_ISDIR(st.st_mode))
            r.trash = keep(full);
        last = change();
        note(&r, full, NULL, NULL);
    }
    int done = syscall(SYS_unlinkat, dirfd, path, flags), failed = errno;
    changed(last);
    pthread_mutex_unlock(&lock);
    errno = failed;
    return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

/* What makes a name without opening it. */
static int named(int done, const char *full, char state)
{
    struct stat st;
    int failed = errno, last = 0;
    if (!done && state == 't' && !fstatat(AT_FDCWD, full, &st, AT_SYMLINK_NOFOLLOW)) {
        last = change();
        struct record r = {.kind = CREATE, .ino = st.st_ino, .dir = folder_of(full)};
        note(&r, full, NULL, NULL);
    }
    changed(last);
    if (page)
        pthread_mutex_unlock(&lock);
    errno = failed;
    return done;
}
#define BEGIN(dirfd, path)                                                                                             \
    char full[PATH_MAX], state;                                                                                        \
    where(dirfd, path, full, &state);                                                                                  \
    if (page)                                                                                                          \
        pthread_mutex_lock(&lock);
int mkdirat(int dirfd, const char *path, mode_t mode)
{
    BEGIN(dirfd, path)
    return named(syscall(SYS_mkdirat, dirfd, path, mode), full, state);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
int linkat(int from_dir, const char *from, int dirfd, const char *path, int flags)
{
    BEGIN(dirfd, path)
    return named(syscall(SYS_linkat, from_dir, from, dirfd, path, flags), full, state);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *text, int dirfd, const char *path)
{
    BEGIN(dirfd, path)
    return named(syscall(SYS_symlinkat, text, dirfd, path), full, state);
}
int symlink(const char *text, const char *path) { return symlinkat(text, AT_FDCWD, path); }

/* A sync of one file or folder, or of all with a number below 0. */
static int sync_by(long number, int fd)
{
    struct stat st;
    if (!page)
        return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int last = ++page->syncs == page->kill_sync;
    uint64_t upto = page->seq;
    pthread_mutex_unlock(&lock);
    if (last && page->kill_place == 0)
        die();
    int done = syscall(number, fd), failed = errno;
    if (last && page->kill_place == 1)
        die();
    int all = number == SYS_syncfs || number == SYS_sync;
    if (!done && (all || (!fstat(fd, &st) && st.st_dev == device))) {
        pthread_mutex_lock(&lock);
        note_sync(all ? 0 : st.st_ino, upto);
        pthread_mutex_unlock(&lock);
    }
    changed(last);
    errno = failed;
    return done;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
int syncfs(int fd) { return sync_by(SYS_syncfs, fd); }
void sync(void) { sync_by(SYS_sync, 0); }
/* Starts the writing and promises nothing about it (sync_file_range(2)). */
int sync_file_range(int fd, off64_t from, off64_t length, unsigned flags)
{
    return syscall(SYS_sync_file_range, fd, from, length, flags);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
    struct stat st;
    if (fd >= 0 && flags & MAP_SHARED && protection & PROT_WRITE) {
        char state = enter(fd, &st);
        if (state == 't')
            unseen("a file is written through memory");
        leave(state);
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap64(at, length, protection, flags, fd, offset);
}

/* A process that starts itself again in its own place stays under the library; its children do not. */
static void stay(void)
{
    if (page && getpid() == owner) {
        setenv("LD_PRELOAD", library, 1);
        setenv("STORAGE_SHIM_ROOT", root, 1);
        setenv("STORAGE_SHIM_PLACE", place, 1);
        setenv("STORAGE_SHIM_SKIP", patterns, 1);
    }
}
int execvp(const char *file, char *const arguments[])
{
    stay();
    int (*real)(const char *, char *const[]) = dlsym(RTLD_NEXT, "execvp");
    return real(file, arguments);
}
int execve(const char *path, char *const arguments[], char *const environment[])
{
    extern char **environ;
    if (page && getpid() == owner) {
        environ = (char **)environment;
        stay();
        environment = environ;
    }
    return syscall(SYS_execve, path, arguments, environment);
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("STORAGE_SHIM_ROOT"), *beside = getenv("STORAGE_SHIM_PLACE");
    const char *skip = getenv("STORAGE_SHIM_SKIP"), *preload = getenv("LD_PRELOAD");
    struct stat st;
    if (!folder || !beside || !realpath(folder, root) || !realpath(beside, place) || stat(root, &st))
        return;
    root_len = strlen(root);
    device = st.st_dev;
    owner = getpid();
    snprintf(patterns, sizeof patterns, "%s", skip ? skip : "");
    snprintf(library, sizeof library, "%s", preload ? preload : "");
    char file[PATH_MAX + 16];
    snprintf(file, sizeof file, "%s/control", place);
    int shared = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
    snprintf(file, sizeof file, "%s/log", place);
    log_fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    void *mapped = shared < 0 ? MAP_FAILED
                              : (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0L);
    if (mapped == MAP_FAILED || log_fd < 0) {
        dprintf(2, "storage shim: %s cannot be used\n", place);
        _exit(125);
    }
    syscall(SYS_close, shared);
    unsetenv("LD_PRELOAD");
    unsetenv("STORAGE_SHIM_ROOT");
    unsetenv("STORAGE_SHIM_PLACE");
    unsetenv("STORAGE_SHIM_SKIP");
    page = mapped;
}
