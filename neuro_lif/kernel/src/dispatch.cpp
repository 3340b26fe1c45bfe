// Chooses the instruction set at run time.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bits.hpp"
#include "clocked.hpp"
#include "conv.hpp"
#include "drive.hpp"
#include "program.hpp"

namespace neuro_lif {

extern const Variant variant_baseline;
extern const ConvVariant conv_baseline;
#if defined(NEURO_LIF_X86_64)
extern const Variant variant_avx2, variant_avx512;
extern const ConvVariant conv_avx2, conv_avx512;
#endif
extern const DriveFunction drive_baseline;
extern const BitsVariant bits_baseline;
extern const FloatVariant clocked_baseline;
#if defined(NEURO_LIF_X86_64)
extern const DriveFunction drive_avx2, drive_avx512;
extern const BitsVariant bits_avx2, bits_avx512;
extern const FloatVariant clocked_avx2, clocked_avx512;
#endif

namespace {

// The best last.
std::vector<const Variant*> usable() {
    std::vector<const Variant*> found{&variant_baseline};
#if defined(NEURO_LIF_X86_64)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        found.push_back(&variant_avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found.push_back(&variant_avx512);
#endif
    return found;
}

const std::vector<const Variant*>& all() {
    static const std::vector<const Variant*> found = usable();
    return found;
}

const Variant*& current() {
    static const Variant* now = all().back();
    return now;
}

}  // namespace

const Variant& chosen_variant() { return *current(); }

// One of three, by the set in use.
#if defined(NEURO_LIF_X86_64)
#define OF_SET(name)                                      \
    (current() == &variant_avx512 ? name##_avx512         \
     : current() == &variant_avx2 ? name##_avx2 : name##_baseline)
#else
#define OF_SET(name) name##_baseline
#endif

const ConvVariant& chosen_conv() { return OF_SET(conv); }
DriveFunction chosen_drive() { return OF_SET(drive); }
const BitsVariant& chosen_bits() { return OF_SET(bits); }
const FloatVariant& chosen_clocked() { return OF_SET(clocked); }

bool can_expand() {
#if defined(NEURO_LIF_X86_64)
    return current() == &variant_avx512 && __builtin_cpu_supports("avx512vbmi2");
#else
    return false;
#endif
}

DriveTable drive_table(const std::vector<uint32_t>& entries, std::vector<int32_t>& kept) {
    DriveTable table;
    kept.clear();
    for (uint32_t entry : entries)
        if (entry)
            kept.push_back(int32_t((entry - 1) ^ TURN));
        else
            table.least++;
    table.n = int32_t(kept.size());
    kept.insert(kept.end(), AT_ONCE, INT32_MAX);
    table.entries = kept.data();
    int32_t k = 0;
    for (uint32_t top = 0; top < 256; top++) {
        while (int32_t((top << 24) ^ TURN) > kept[k]) k++;
        table.guide[top] = k;
    }
    return table;
}

bool choose_set(const char* name) {
    for (const Variant* v : all())
        if (std::strcmp(v->name, name) == 0) {
            current() = v;
            return true;
        }
    return false;
}

std::vector<const char*> usable_sets() {
    std::vector<const char*> names;
    for (const Variant* v : all()) names.push_back(v->name);
    return names;
}

std::vector<const char*> compiled_sets() {
    std::vector<const char*> names{variant_baseline.name};
#if defined(NEURO_LIF_X86_64)
    names.push_back(variant_avx2.name);
    names.push_back(variant_avx512.name);
#endif
    return names;
}

}  // namespace neuro_lif
