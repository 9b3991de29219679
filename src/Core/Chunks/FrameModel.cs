using System.Runtime.CompilerServices;

namespace Appliance.Core.Chunks;

/// <summary>
/// The decisions of the frame coder and where their probabilities are. The scheme is that of LZMA (I. Pavlov; the LZMA
/// specification): literals, matches, and repeated matches with their states, lengths and distances.
/// </summary>
internal static class FrameModel
{
    public const int LiteralContextBits = 3;
    public const int One = 1 << 15;
    public const int Rate = 5;
    public const int States = 12;
    public const int Positions = 4;
    public const int LengthContexts = 4;
    public const int MinMatch = 2;
    public const int MaxMatch = MinMatch + 8 + 8 + 256 - 1;
    public const int AlignBits = 4;
    public const int FirstAlignedSlot = 14;
    public const int SpecialDistances = 128;

    public const int IsMatch = 0;
    public const int IsRepeat = IsMatch + (States * Positions);
    public const int IsRepeat0 = IsRepeat + States;
    public const int IsRepeat1 = IsRepeat0 + States;
    public const int IsRepeat2 = IsRepeat1 + States;
    public const int IsLongRepeat0 = IsRepeat2 + States;
    public const int MatchLength = IsLongRepeat0 + (States * Positions);
    public const int LengthLow = 2;
    public const int LengthMiddle = LengthLow + (Positions * 8);
    public const int LengthHigh = LengthMiddle + (Positions * 8);
    public const int LengthSize = LengthHigh + 256;
    public const int RepeatLength = MatchLength + LengthSize;
    public const int DistanceSlot = RepeatLength + LengthSize;
    public const int DistanceSpecial = DistanceSlot + (LengthContexts * 64);
    public const int DistanceAlign = DistanceSpecial + SpecialDistances;
    public const int Literal = DistanceAlign + (1 << AlignBits);
    public const int LiteralSize = 0x300;

    /// <summary>Kinds of frames with expectations of their own: the training finds them, each frame names its.</summary>
    public const int Sets = 3;
    public const int SetBits = 2;

    /// <summary>Probabilities in all.</summary>
    public const int Size = Literal + (LiteralSize << LiteralContextBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AfterLiteral(int state) => state < 4 ? 0 : state < 10 ? state - 3 : state - 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AfterMatch(int state) => state < 7 ? 7 : 10;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AfterRepeat(int state) => state < 7 ? 8 : 11;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AfterShortRepeat(int state) => state < 7 ? 9 : 11;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsLiteralState(int state) => state < 7;

    /// <summary>First probability of the literals that follow <paramref name="previous"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LiteralAfter(byte previous) => Literal + (LiteralSize * (previous >> (8 - LiteralContextBits)));

    /// <summary>Which distances a match of this length has is learned apart for the shortest ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LengthContext(int length) => Math.Min(length - MinMatch, LengthContexts - 1);
}
