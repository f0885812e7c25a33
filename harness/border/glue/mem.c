/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Memory and strings for the tree's code: libc's have other contracts (and on some architectures other calls). */
typedef __SIZE_TYPE__ size_t;
/* Words at once where both ends are aligned: the compiler must not make a call of memcpy() out of it. */
typedef unsigned long __attribute__((may_alias)) word;
#define ALIGNED(address) (((unsigned long)(address) & (sizeof(word) - 1)) == 0)

void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

#ifdef __x86_64__
	asm volatile("rep movsb" : "+D" (t), "+S" (f), "+c" (n) : : "memory");
#else
	for (; n >= sizeof(word) && ALIGNED(t) && ALIGNED(f); n -= sizeof(word), t += sizeof(word), f += sizeof(word))
		*(word *)t = *(const word *)f;
	while (n--)
		*t++ = *f++;
#endif
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	char *t = to;

#ifdef __x86_64__
	asm volatile("rep stosb" : "+D" (t), "+c" (n) : "a" (byte) : "memory");
#else
	word bytes = (unsigned char)byte * 0x0101010101010101ul;

	for (; n && !ALIGNED(t); n--)
		*t++ = byte;
	for (; n >= sizeof(word); n -= sizeof(word), t += sizeof(word))
		*(word *)t = bytes;
	while (n--)
		*t++ = byte;
#endif
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *(const unsigned char *)a - *(const unsigned char *)b;
}
