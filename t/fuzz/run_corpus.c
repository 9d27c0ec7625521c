/*
 * The main of a fuzz driver in an ordinary test run: gives it every file of
 * the folders on the command line, and every beginning of each, so that a
 * reader meets each place where its input may stop.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define MAX_FILE      (1024 * 1024)
#define MAX_PREFIXES  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Gives the driver a copy that ends where its memory ends. */
static int
run_input(const uint8_t *data, size_t size)
{
    uint8_t  *copy;

    copy = malloc(size ? size : 1);
    if (copy == NULL) {
        return -1;
    }

    if (size) {
        memcpy(copy, data, size);
    }

    (void) LLVMFuzzerTestOneInput(copy, size);

    free(copy);

    return 0;
}


static int
run_file(const char *path)
{
    int       rc;
    FILE     *in;
    size_t    i, size, step;
    uint8_t  *data;

    in = fopen(path, "rb");
    if (in == NULL) {
        fprintf(stderr, "could not open \"%s\": %s\n", path, strerror(errno));
        return -1;
    }

    data = malloc(MAX_FILE);
    if (data == NULL) {
        fclose(in);
        return -1;
    }

    size = fread(data, 1, MAX_FILE, in);
    fclose(in);

    step = size / MAX_PREFIXES + 1;
    rc = run_input(data, size);

    for (i = 0; i < size && rc == 0; i += step) {
        rc = run_input(data, i);
    }

    free(data);

    return rc;
}


/* The number of files, or -1. */
static long
run_folder(const char *folder)
{
    DIR            *dir;
    char            path[4096];
    long            n;
    struct dirent  *entry;

    dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "could not open \"%s\": %s\n", folder,
                strerror(errno));
        return -1;
    }

    n = 0;

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

        if (run_file(path) != 0) {
            n = -1;
            break;
        }

        n++;
    }

    closedir(dir);

    return n;
}


int
main(int argc, char **argv)
{
    int   i;
    long  n;

    printf("1..%d\n", argc - 1);

    for (i = 1; i < argc; i++) {
        n = run_folder(argv[i]);

        if (n <= 0) {
            printf("not ok %d - %s has no readable input\n", i, argv[i]);
            return 1;
        }

        printf("ok %d - %s, %ld inputs\n", i, argv[i], n);
    }

    return 0;
}
