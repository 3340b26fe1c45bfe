// What one thread of this machine can do: bytes from each level of memory, vector operations,
// additions at scattered places. Prints one number for each line of its input:
//   read BYTES        GB/s, again and again over so many bytes
//   update BYTES      GB/s read and written
//   rows BYTES SIZE   GB/s, rows of SIZE bytes in random order
//   operations        vector operations per ns (the widest there are)
//   products          vector products per ns
//   scatter N         additions per ns of N bytes at N random places, 16 KiB of sums
//   expand            bytes spread over the bits of a mask, vectors per ns; 0: there is no instruction
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#if defined(__AVX512VBMI2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int WIDE = 64;
#elif defined(__AVX2__)
constexpr int WIDE = 32;
#else
constexpr int WIDE = 16;
#endif
typedef int32_t Vector __attribute__((vector_size(WIDE)));
typedef float Floats __attribute__((vector_size(WIDE)));
#define KEEP(x) asm volatile("" : "+v"(x))

// The best of several seconds, as work per ns.
template <class F>
double best(double work, F f) {
    double least = 1e300;
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < 5 || std::chrono::steady_clock::now() - start < std::chrono::milliseconds(400); k++) {
        const auto before = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - before;
        least = std::min(least, taken.count());
    }
    return work / least;
}

struct Memory {
    explicit Memory(size_t bytes) : n(bytes / 256 * 256 + 256) {
        at = static_cast<char*>(std::aligned_alloc(4096, (n + 4095) / 4096 * 4096));
        std::memset(at, 1, n);
    }
    ~Memory() { std::free(at); }
    size_t n;
    char* at;
};

inline Vector load(const char* at) {
    Vector x;
    std::memcpy(&x, at, sizeof x);
    return x;
}

double read(size_t bytes) {
    Memory m(bytes);
    const int times = int(std::max<size_t>(1, (size_t(1) << 24) / m.n));
    return best(double(m.n) * times, [&] {
        Vector a{}, b{}, c{}, d{};
        for (int k = 0; k < times; k++)
            for (size_t i = 0; i < m.n; i += 4 * WIDE) {
                a ^= load(m.at + i);
                b ^= load(m.at + i + WIDE);
                c ^= load(m.at + i + 2 * WIDE);
                d ^= load(m.at + i + 3 * WIDE);
            }
        a ^= b ^ c ^ d;
        KEEP(a);
    });
}

double update(size_t bytes) {
    Memory m(bytes);
    const int times = int(std::max<size_t>(1, (size_t(1) << 24) / m.n));
    return best(2.0 * double(m.n) * times, [&] {
        for (int k = 0; k < times; k++) {
            for (size_t i = 0; i < m.n; i += WIDE) {
                Vector x = load(m.at + i) + 1;
                std::memcpy(m.at + i, &x, sizeof x);
            }
            asm volatile("" ::: "memory");
        }
    });
}

double rows(size_t bytes, size_t size) {
    const size_t step = (size + 63) / 64 * 64, n = bytes / step;
    Memory m(n * step);
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    return best(double(n) * step, [&] {
        Vector a{}, b{};
        for (size_t k = 0; k < n; k++) {
            const char* row = m.at + order[k] * step;
            const char* next = m.at + order[std::min(k + 4, n - 1)] * step;
            for (size_t i = 0; i < step; i += 64) {
                __builtin_prefetch(next + i);
                for (size_t j = 0; j < 64; j += WIDE) (j & WIDE ? a : b) ^= load(row + i + j);
            }
        }
        a ^= b;
        KEEP(a);
    });
}

template <class V>
double operations(bool product) {
    constexpr int TIMES = 100000;
    return best(8.0 * TIMES, [&] {
        V x[8] = {}, y{};
        KEEP(y);
        for (int k = 0; k < TIMES; k++) {
            for (int j = 0; j < 8; j++) {
                if (product)
                    x[j] = x[j] * y;
                else
                    x[j] = x[j] + y;
            }
            KEEP(x[0]); KEEP(x[1]); KEEP(x[2]); KEEP(x[3]);
            KEEP(x[4]); KEEP(x[5]); KEEP(x[6]); KEEP(x[7]);
        }
    });
}

double scatter(size_t n) {
    std::vector<uint16_t> post(n);
    std::mt19937 random(1);
    for (auto& p : post) p = uint16_t(random() % 4096);
    for (size_t i = 0; i + 64 <= n; i += 64) std::sort(post.begin() + i, post.begin() + i + 64);
    std::vector<int32_t> sums(4096);
    std::vector<int8_t> weights(n);
    for (auto& w : weights) w = int8_t(random());
    return best(double(n), [&] {
        int32_t* __restrict out = sums.data();
        const uint16_t* at = post.data();
        const int8_t* w = weights.data();
        for (size_t i = 0; i < n; i++) out[at[i]] += w[i];
        asm volatile("" ::: "memory");
    });
}

double expand() {
#if defined(__AVX512VBMI2__)
    constexpr int TIMES = 100000;
    return best(8.0 * TIMES, [&] {
        __m512i x = _mm512_set1_epi8(3);
        uint64_t mask = 0x123456789abcdef0;
        for (int k = 0; k < TIMES; k++)
            for (int j = 0; j < 8; j++) {
                asm volatile("" : "+r"(mask));
                __m512i y = _mm512_maskz_expand_epi8(mask, x);
                KEEP(y);
            }
    });
#else
    return 0;
#endif
}

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string what;
        size_t a = 0, b = 0;
        words >> what >> a >> b;
        double found = 0;
        if (what == "read") found = read(a);
        else if (what == "update") found = update(a);
        else if (what == "rows") found = rows(a, b);
        else if (what == "operations") found = operations<Vector>(false);
        else if (what == "products") found = operations<Floats>(true);
        else if (what == "scatter") found = scatter(a);
        else if (what == "expand") found = expand();
        std::printf("%.6g\n", found);
        std::fflush(stdout);
    }
}
