// What blocks.cpp gives to engine.cpp, once for each instruction set. Declarations only: an
// inline function here would be compiled with several sets of flags, and the linker keeps one.
#pragma once

#include <cstddef>
#include <cstdint>

#define NEURO_LIF_DECLARE_BLOCKS(variant) \
    namespace neuro_lif::variant { \
    std::int64_t sum(const std::int64_t *values, std::size_t count); \
    }

NEURO_LIF_DECLARE_BLOCKS(baseline)
#ifdef NEURO_LIF_X86_64
NEURO_LIF_DECLARE_BLOCKS(avx2)
NEURO_LIF_DECLARE_BLOCKS(avx512)
#endif
