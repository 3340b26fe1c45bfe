// Vectors of sums, and of weights made as wide as they are. In an unnamed namespace: conv.cpp
// includes it, which is compiled once per instruction set.
#pragma once
#include <cstdint>
#include <cstring>

#include "vectors.hpp"

namespace neuro_lif {
namespace {

template <class T, int N>
struct Lanes {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};

// Ones, then zeros: a vector from k on has ones in all lanes but the last k.
template <class S>
struct Mask {
    alignas(64) S lane[2 * BYTES / sizeof(S)];
    constexpr Mask() : lane{} {
        for (int i = 0; i < int(BYTES / sizeof(S)); i++) lane[i] = -1;
    }
};
template <class S>
constexpr Mask<S> MASK{};

// One vector of weights, as wide as the sums. (Compilers widen in halves, piece by piece, what
// __builtin_convertvector asks for; hence the instructions by name.)
template <class Sums, class W>
inline Sums widened(const W* from) {
    typename Lanes<W, sizeof(Sums) / sizeof(Sums{}[0])>::type stored;
    std::memcpy(&stored, from, sizeof stored);
    return __builtin_convertvector(stored, Sums);
}

#if defined(__AVX512BW__)
template <>
inline Lanes<int16_t, 32>::type widened(const int8_t* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return Lanes<int16_t, 32>::type(_mm512_maskz_cvtepi8_epi16(~0u, x));
}
template <>
inline Lanes<int32_t, 16>::type widened(const int8_t* from) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return Lanes<int32_t, 16>::type(_mm512_maskz_cvtepi8_epi32(0xffff, x));
}
template <>
inline Lanes<int32_t, 16>::type widened(const int16_t* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return Lanes<int32_t, 16>::type(_mm512_maskz_cvtepi16_epi32(0xffff, x));
}
#endif
#if defined(__AVX2__)
template <>
inline Lanes<int16_t, 16>::type widened(const int8_t* from) {
    return Lanes<int16_t, 16>::type(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
template <>
inline Lanes<int32_t, 8>::type widened(const int8_t* from) {
    return Lanes<int32_t, 8>::type(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
template <>
inline Lanes<int32_t, 8>::type widened(const int16_t* from) {
    return Lanes<int32_t, 8>::type(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
#endif
#if defined(__SSE2__)
template <>
inline Lanes<int16_t, 8>::type widened(const int8_t* from) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return Lanes<int16_t, 8>::type(_mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8));
}
template <>
inline Lanes<int32_t, 4>::type widened(const int8_t* from) {
    int32_t four;
    std::memcpy(&four, from, sizeof four);
    const __m128i x = _mm_cvtsi32_si128(four), y = _mm_unpacklo_epi8(x, x);
    return Lanes<int32_t, 4>::type(_mm_srai_epi32(_mm_unpacklo_epi16(y, y), 24));
}
template <>
inline Lanes<int32_t, 4>::type widened(const int16_t* from) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return Lanes<int32_t, 4>::type(_mm_srai_epi32(_mm_unpacklo_epi16(x, x), 16));
}
#endif

}  // namespace
}  // namespace neuro_lif
