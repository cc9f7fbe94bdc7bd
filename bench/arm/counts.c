/*
 * A plugin of QEMU's user emulation that counts what stretches of a program execute: every block of
 * instructions, its code and how often it ran, and what a model of the caches says was missing.
 *
 * The program marks stretches by umask, a system call that takes any number and never fails:
 *     01000022  a stretch begins        02000022  it ends, and is written out
 *     03000022  the modelled caches are emptied; they are modelled from the first of these marks on
 *
 * Arguments: out=FILE, umask=NUMBER (the system call's), and, to model caches,
 * caches=SIZE:WAYS/SIZE:WAYS/..., the first for instructions, the second for data, the others for
 * both. Lines of 64 bytes, the least recently used is replaced, nothing is fetched ahead: what a
 * board's prefetcher hides shows as a line that follows another.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of QEMU's plugin interface, version 1, what is used here; Debian ships no header of it. */
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*on_translation)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*on_execution)(unsigned, void *);
typedef void (*on_access)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *);
typedef void (*on_call)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t, uint64_t);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, on_translation);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, on_call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, on_execution, int, void *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_access, int, int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
int qemu_plugin_version = 1;

enum { READ_AND_WRITE = 3, NO_REGISTERS = 0, INLINE_ADD = 0 };
enum { BEGIN = 01000022, END = 02000022, EMPTY = 03000022 };
enum { LINE = 6, BUCKETS = 1 << 16, MOST_BYTES = 16 << 10, LEVELS = 5, RECENT = 64 };

struct block {
    struct block *next;
    uint64_t address, runs;
    uint32_t instructions, bytes;
    uint8_t code[];
};

struct cache {
    uint64_t sets, ways, clock, missed;
    uint64_t *line, *used; /* of each way of each set; lines are counted from 1, 0 is empty */
};

static struct block *blocks[BUCKETS];
static struct cache caches[LEVELS]; /* instructions, data, then what both share */
static int levels;
static uint64_t recent[RECENT], memory_lines, memory_jumps; /* the last lines from memory */
static const char *out = "counts.txt";
static long umask_call;
static bool modelling, within;
static int stretches;

static bool found(struct cache *cache, uint64_t line)
{
    uint64_t first = line % cache->sets * cache->ways, oldest = first;
    cache->clock++;
    for (uint64_t i = first; i < first + cache->ways; i++) {
        if (cache->line[i] == line + 1) {
            cache->used[i] = cache->clock;
            return true;
        }
        if (cache->used[i] < cache->used[oldest])
            oldest = i;
    }
    cache->line[oldest] = line + 1;
    cache->used[oldest] = cache->clock;
    cache->missed += within;
    return false;
}

/* A line from memory: one of a stream where a neighbour came a short while ago, else a jump. */
static void from_memory(uint64_t line)
{
    bool follows = false;
    for (int i = 0; i < RECENT; i++)
        follows |= recent[i] + 1 == line || recent[i] + 2 == line || recent[i] == line + 1;
    recent[memory_lines % RECENT] = line;
    memory_lines++;
    memory_jumps += !follows;
}

static void touch(int level, uint64_t line)
{
    if (found(&caches[level], line))
        return;
    for (int i = 2; i < levels; i++)
        if (found(&caches[i], line))
            return;
    from_memory(line);
}

static void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    if (!modelling)
        return;
    uint64_t last = (address + (1u << qemu_plugin_mem_size_shift(info)) - 1) >> LINE;
    for (uint64_t line = address >> LINE; line <= last; line++)
        touch(1, line);
}

static void executed(unsigned cpu, void *data)
{
    const struct block *block = data;
    if (!modelling)
        return;
    uint64_t last = (block->address + block->bytes - 1) >> LINE;
    for (uint64_t line = block->address >> LINE; line <= last; line++)
        touch(0, line);
}

static struct block *known(uint64_t address, uint32_t instructions, const uint8_t *code,
                           uint32_t bytes)
{
    struct block **bucket = &blocks[(address >> 2) % BUCKETS], *block;
    for (block = *bucket; block; block = block->next)
        if (block->address == address && block->bytes == bytes && !memcmp(block->code, code, bytes))
            return block;
    block = calloc(1, sizeof *block + bytes);
    block->next = *bucket;
    block->address = address;
    block->instructions = instructions;
    block->bytes = bytes;
    memcpy(block->code, code, bytes);
    return *bucket = block;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    static uint8_t code[MOST_BYTES];
    uint32_t bytes = 0;
    size_t n = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, i);
        size_t size = qemu_plugin_insn_size(instruction);
        if (bytes + size > sizeof code)
            abort();
        memcpy(code + bytes, qemu_plugin_insn_data(instruction), size);
        bytes += size;
        if (levels)
            qemu_plugin_register_vcpu_mem_cb(instruction, accessed, NO_REGISTERS, READ_AND_WRITE, 0);
    }
    struct block *block = known(qemu_plugin_tb_vaddr(tb), n, code, bytes);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD, &block->runs, 1);
    if (levels)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static void begin(void)
{
    for (int i = 0; i < BUCKETS; i++)
        for (struct block *block = blocks[i]; block; block = block->next)
            block->runs = 0;
    for (int i = 0; i < LEVELS; i++)
        caches[i].missed = 0;
    memory_lines = memory_jumps = 0;
    within = true;
}

static void end(void)
{
    FILE *file = fopen(out, stretches++ ? "a" : "w");
    within = false;
    if (!file)
        abort();
    fprintf(file, "stretch lines %lu jumps %lu missed", memory_lines, memory_jumps);
    for (int i = 0; i < levels; i++)
        fprintf(file, " %lu", caches[i].missed);
    fputc('\n', file);
    for (int i = 0; i < BUCKETS; i++)
        for (struct block *block = blocks[i]; block; block = block->next) {
            if (!block->runs)
                continue;
            fprintf(file, "%lx %u %lu ", block->address, block->instructions, block->runs);
            for (uint32_t k = 0; k < block->bytes; k++)
                fprintf(file, "%02x", block->code[k]);
            fputc('\n', file);
        }
    fclose(file);
}

static void empty(void)
{
    for (int i = 0; i < levels; i++)
        memset(caches[i].line, 0, caches[i].sets * caches[i].ways * sizeof(uint64_t));
    memset(recent, 0, sizeof recent);
    modelling = true;
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t mask,
                   uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    if (number != umask_call)
        return;
    if (mask == BEGIN)
        begin();
    else if (mask == END)
        end();
    else if (mask == EMPTY)
        empty();
}

static bool add_cache(const char *text)
{
    unsigned long size, ways;
    if (levels == LEVELS || sscanf(text, "%lu:%lu", &size, &ways) != 2)
        return false;
    struct cache *cache = &caches[levels++];
    cache->ways = ways;
    cache->sets = size / ways >> LINE;
    cache->line = calloc(cache->sets * ways, sizeof(uint64_t));
    cache->used = calloc(cache->sets * ways, sizeof(uint64_t));
    return cache->line && cache->used;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments)
{
    for (int i = 0; i < count; i++) {
        char *value = strchr(arguments[i], '=') + 1;
        if (!strncmp(arguments[i], "out=", 4))
            out = strdup(value);
        else if (!strncmp(arguments[i], "umask=", 6))
            umask_call = atol(value);
        else
            for (char *part = strtok(strdup(value), "/"); part; part = strtok(NULL, "/"))
                if (!add_cache(part))
                    return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
