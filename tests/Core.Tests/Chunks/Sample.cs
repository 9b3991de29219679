namespace Core.Tests.Chunks;

/// <summary>Made-up payloads that look a little like a file system: text, tables, noise and zeros, with repeats.</summary>
internal static class Sample
{
    /// <summary>A payload; equal seeds give equal bytes.</summary>
    public static byte[] Payload(int seed, int length)
    {
        var random = new Random(seed);
        var bytes = new byte[length];
        for (var at = 0; at < length;)
        {
            var piece = bytes.AsSpan(at, Math.Min(length - at, random.Next(1, 30_000)));
            switch (random.Next(5))
            {
                case 0:
                    random.NextBytes(piece);
                    break;
                case 1:
                    foreach (ref var value in piece) value = (byte)"etaoin shrdlu\n"[random.Next(14)];
                    break;
                case 2:
                    for (var i = 0; i < piece.Length; i++) piece[i] = (byte)(i % 8 < 5 ? i >> 6 : random.Next(4));
                    break;
                case 3 when at > piece.Length:
                    bytes.AsSpan(random.Next(at - piece.Length), piece.Length).CopyTo(piece);
                    break;
            }
            at += piece.Length;
        }
        return bytes;
    }

    /// <summary>A new version of a payload: stretches changed, put in, taken out and moved.</summary>
    public static byte[] Edit(byte[] old, int seed)
    {
        var random = new Random(seed);
        var bytes = old.ToList();
        for (var i = random.Next(12); i > 0; i--)
        {
            var length = random.Next(1, Math.Max(2, bytes.Count / 8));
            var from = random.Next(Math.Max(1, bytes.Count - length));
            length = Math.Min(length, bytes.Count - from);
            switch (random.Next(4))
            {
                case 0:
                    for (var at = from; at < from + Math.Min(length, 5_000); at++) bytes[at] ^= (byte)random.Next(256);
                    break;
                case 1:
                    bytes.InsertRange(from, Payload(random.Next(), length));
                    break;
                case 2:
                    bytes.RemoveRange(from, length);
                    break;
                default:
                    var moved = bytes.GetRange(from, length);
                    bytes.RemoveRange(from, length);
                    bytes.InsertRange(random.Next(bytes.Count + 1), moved);
                    break;
            }
        }
        return bytes.ToArray();
    }
}
