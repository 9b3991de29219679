namespace Appliance.Core.Delta;

/// <summary>Fills a buffer with a payload's bytes from an offset on.</summary>
internal delegate void PieceReader(long offset, Span<byte> buffer);
