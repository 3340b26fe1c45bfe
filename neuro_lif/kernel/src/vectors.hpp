// How wide the vectors are of the instruction set that a file is compiled for.
#pragma once
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace neuro_lif {

#if defined(__AVX512BW__)
constexpr int BYTES = 64;
#elif defined(__AVX2__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

}  // namespace neuro_lif
