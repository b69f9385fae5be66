/* NVML of a machine with two GPUs, as far as the sampler asks. While the file named by FAKE_NVML_HANG exists,
 * the driver hangs: nothing short of a kill ends a call then. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;

struct utilization { unsigned gpu, memory; };
struct memory_v2 { unsigned version; u64 total, reserved, free, used; };
struct process { unsigned pid; u64 memory; unsigned instance, compute_instance; };

enum { SUCCESS = 0, INSUFFICIENT_SIZE = 7 };

int nvmlInitWithFlags(unsigned flags) { (void)flags; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return SUCCESS; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12040; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = (void *)(size_t)(index + 1);
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "550.54.15", size); return SUCCESS; }

int nvmlSystemGetProcessName(unsigned pid, char *text, unsigned size)
{
    (void)pid;
    strncpy(text, "/usr/bin/python3 train.py", size);
    return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *text, unsigned size)
{
    (void)device;
    strncpy(text, "NVIDIA H100 80GB HBM3", size);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *rates)
{
    const char *file = getenv("FAKE_NVML_HANG");
    while (file && access(file, F_OK) == 0)
        usleep(10000);
    rates->gpu = 90 + (unsigned)(size_t)device;
    rates->memory = 40;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory_v2 *memory)
{
    (void)device;
    memory->total = 80ull << 30;
    memory->used = 12ull << 30;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { (void)device; *milliwatts = 642180; return SUCCESS; }

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *list)
{
    if ((size_t)device == 2) {
        *count = 0;
        return SUCCESS;
    }
    if (!list || *count < 1) {
        *count = 1;
        return INSUFFICIENT_SIZE;
    }
    list[0].pid = 4711;
    list[0].memory = 11ull << 30;
    *count = 1;
    return SUCCESS;
}
