/* A program that keeps its promises, or breaks one of them on purpose: what the storage shim is tried on.
 *
 * `storage_witness FOLDER CASE` does the case's work in FOLDER, says what it promised on standard output, and waits for
 * the kill. The cases stand in `e2e/tests/it/crash/shim.rs` beside what must be left of each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int folder(void) { return open(".", O_RDONLY | O_DIRECTORY); }

static int made(const char *name, int more)
{
    int fd = open(name, O_CREAT | O_RDWR | more, 0600);
    if (fd < 0)
        exit(3);
    return fd;
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        exit(4);
}

static void *worker(void *given)
{
    char name[32], text[32];
    snprintf(name, sizeof name, "thread-%ld", (long)given);
    int fd = made(name, 0);
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "%02d\n", i);
        put(fd, text);
        if (i < 40 && fdatasync(fd))
            exit(5);
    }
    return NULL;
}

int main(int count, char **given)
{
    if (count != 3 || chdir(given[1]))
        return 2;
    const char *is = given[2];
    /* What stood there before the program began counts as safe. */
    if (!strncmp(is, "append", 6)) {
        int fd = made("record", O_APPEND);
        put(fd, "acknowledged\n");
        if (!strcmp(is, "append-fsync") && fsync(fd))
            return 5;
        if (!strcmp(is, "append-fdatasync") && fdatasync(fd))
            return 5;
        if (!strcmp(is, "append-syncfs") && syncfs(fd))
            return 5;
        if (!strcmp(is, "append-range") && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
            return 5;
        if (!strcmp(is, "append-all"))
            sync();
        if (!strcmp(is, "append-then-more")) {
            fdatasync(fd);
            put(fd, "promised too early\n");
        }
    } else if (!strcmp(is, "dsync")) {
        put(made("record", O_APPEND | O_DSYNC), "acknowledged\n");
    } else if (!strncmp(is, "create", 6)) {
        int fd = made("new", O_EXCL);
        put(fd, "new\n");
        fsync(fd);
        if (!strcmp(is, "create-synced"))
            fsync(folder());
    } else if (!strncmp(is, "rename", 6)) {
        int fd = made("record.new", O_EXCL);
        put(fd, "second\n");
        if (strcmp(is, "rename-unwritten"))
            fsync(fd);
        if (rename("record.new", "record"))
            return 6;
        if (strcmp(is, "rename-unsynced"))
            fsync(folder());
    } else if (!strncmp(is, "remove", 6)) {
        if (unlink("record"))
            return 6;
        if (!strcmp(is, "remove-synced"))
            fsync(folder());
    } else if (!strcmp(is, "folders")) {
        if (mkdir("below", 0700) || chdir("below"))
            return 6;
        int fd = made("file", O_EXCL);
        put(fd, "deep\n");
        fsync(fd);
        fsync(folder());
    } else if (!strcmp(is, "truncate")) {
        if (truncate("record", 3))
            return 6;
        int fd = made("record", 0);
        if (ftruncate(fd, 1) || ftruncate(fd, 100))
            return 6;
        close(made("record", O_TRUNC));
    } else if (!strcmp(is, "forms")) {
        int fd = made("record", 0);
        struct iovec two[2] = {{"AB", 2}, {"CD", 2}};
        if (pwrite(fd, "xy", 2, 1) != 2 || pwritev(fd, two, 2, 3) != 4 || writev(fd, two, 2) != 4 ||
            posix_fallocate(fd, 0, 9000))
            return 6;
        int from = made("from", 0);
        put(from, "copied over");
        lseek(from, 0, SEEK_SET);
        off64_t at = 5;
        if (copy_file_range(from, NULL, fd, &at, 6, 0) != 6)
            return 6;
    } else if (!strcmp(is, "large")) {
        static char block[1 << 20];
        int fd = made("record", 0);
        memset(block, 'L', sizeof block);
        for (int i = 0; i < 8; i++)
            if (pwrite(fd, block, sizeof block, (off_t)i << 20) != sizeof block)
                return 6;
    } else if (!strcmp(is, "torn")) {
        char block[4096];
        int fd = made("record", 0);
        memset(block, 'N', sizeof block);
        if (pwrite(fd, block, sizeof block, 0) != sizeof block)
            return 6;
    } else if (!strcmp(is, "threads")) {
        pthread_t all[4];
        for (long i = 0; i < 4; i++)
            pthread_create(&all[i], NULL, worker, (void *)i);
        for (int i = 0; i < 4; i++)
            pthread_join(all[i], NULL);
        fsync(folder());
    } else if (!strcmp(is, "full")) {
        int fd = made("record", 0);
        char block[1000] = {0};
        ssize_t first = pwrite(fd, block, 1000, 0), second = pwrite(fd, block, 1000, 1000);
        int then = pwrite(fd, block, 1000, 1500) < 0 ? errno : 0;
        ssize_t inside = pwrite(fd, block, 500, 200);
        int whole = posix_fallocate(fd, 0, 4000);
        printf("%zd %zd %s %zd %s\n", first, second, strerrorname_np(then), inside, strerrorname_np(whole));
    } else {
        return 2;
    }
    printf("done\n");
    fflush(stdout);
    pause();
    return 0;
}
