// For the files compiled once for each instruction set: all of it has internal linkage.
#pragma once
#include <cfenv>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Registers are changed in place, lane by lane: no lane depends on another.
#if defined(__clang__)
#define LANES_ARE_APART _Pragma("clang loop vectorize(assume_safety)")
#else
#define LANES_ARE_APART _Pragma("GCC ivdep")
#endif

namespace neuro_lif {
namespace {

// Rounds toward zero for as long as it lives.
struct TowardZero {
#if defined(__SSE2__)
    unsigned before = _mm_getcsr();
    TowardZero() { _mm_setcsr(before | 0x6000u); }
    ~TowardZero() { _mm_setcsr(before); }
#else
    int before = std::fegetround();
    TowardZero() { std::fesetround(FE_TOWARDZERO); }
    ~TowardZero() { std::fesetround(before); }
#endif
};

}  // namespace
}  // namespace neuro_lif
