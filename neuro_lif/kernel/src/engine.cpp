// Chooses the instruction set when it runs. A placeholder for the engine.
#include "engine.hpp"

#include "blocks.hpp"

namespace neuro_lif {
namespace {

struct Variant {
    const char *name;
    bool usable;
    std::int64_t (*sum)(const std::int64_t *, std::size_t);
};

const std::vector<Variant> &variants() {
    static const std::vector<Variant> all = [] {
        std::vector<Variant> list{{"baseline", true, baseline::sum}};
#ifdef NEURO_LIF_X86_64
        __builtin_cpu_init();
        list.push_back({"avx2",
                        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                            __builtin_cpu_supports("bmi2"),
                        avx2::sum});
        list.push_back({"avx512",
                        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"),
                        avx512::sum});
#endif
        return list;
    }();
    return all;
}

}  // namespace

std::vector<std::string> compiled_sets() {
    std::vector<std::string> names;
    for (const Variant &variant : variants()) names.emplace_back(variant.name);
    return names;
}

std::vector<std::string> usable_sets() {
    std::vector<std::string> names;
    for (const Variant &variant : variants())
        if (variant.usable) names.emplace_back(variant.name);
    return names;
}

std::int64_t sum(const std::int64_t *values, std::size_t count) {
    const Variant *best = nullptr;
    for (const Variant &variant : variants())
        if (variant.usable) best = &variant;
    return best->sum(values, count);
}

}  // namespace neuro_lif
