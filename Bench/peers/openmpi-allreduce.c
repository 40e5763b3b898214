// MPI_Allreduce of floats, measured as `relaxed bench collectives` measures: the vector is rewritten and the ranks meet at a
// barrier before each operation; a time is the mean over the ranks, a figure the median of these.
//
// Arguments: `malloc` for memory as a program gets it, or `huge` for pages of 2 MiB, in which ours lies; then sizes in bytes. Prints a
// line for each: bytes, median in microseconds, elements that were wrong.

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    int huge = argc > 1 && strcmp(argv[1], "huge") == 0;
    for (int k = 2; k < argc; k++) {
        long bytes = atol(argv[k]), count = bytes / 4;
        // As many as ours: `iterations` in BenchCollectivesCommand.swift.
        long iterations = (256L << 20) / (ranks * bytes + (16 << 10)), warmups = 5;
        iterations = iterations < 20 ? 20 : iterations > 5000 ? 5000 : iterations;
        long page = 2L << 20, allocated = (bytes + page - 1) / page * page;
        float *vector = huge ? aligned_alloc(page, allocated) : malloc(bytes);
        double *times = calloc(iterations, sizeof *times), *sums = calloc(iterations, sizeof *sums);
        if (!vector || !times || !sums) MPI_Abort(MPI_COMM_WORLD, 1);
        if (huge) madvise(vector, allocated, MADV_HUGEPAGE);
        for (long i = -warmups; i < iterations; i++) {
            float value = (float)((rank + 1) * (1 + (i & 7)));
            for (long j = 0; j < count; j++) vector[j] = value;
            MPI_Barrier(MPI_COMM_WORLD);
            double start = MPI_Wtime();
            MPI_Allreduce(MPI_IN_PLACE, vector, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
            if (i >= 0) times[i] = MPI_Wtime() - start;
        }
        for (long j = 0; j < count; j++) vector[j] = (float)((rank + 1) * (1 + j % 31));
        MPI_Allreduce(MPI_IN_PLACE, vector, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        long wrong = 0;
        for (long j = 0; j < count; j++) wrong += vector[j] != (float)(ranks * (ranks + 1) / 2 * (1 + j % 31));
        MPI_Reduce(times, sums, (int)iterations, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
        if (rank == 0) {
            qsort(sums, iterations, sizeof *sums, ascending);
            printf("%ld %.4f %ld\n", bytes, 1e6 * sums[(iterations - 1) / 2] / ranks, wrong);
            fflush(stdout);
        }
        free(vector);
        free(times);
        free(sums);
    }
    MPI_Finalize();
    return 0;
}
