namespace Appliance.Supervisor.Updates;

/// <summary>What the latest look into a repository found.</summary>
/// <param name="At">When.</param>
/// <param name="Verdict"><c>upToDate</c>, <c>available</c>, <c>waiting</c> (for the rollout), <c>failedBefore</c>, <c>error</c>.</param>
/// <param name="Version">The version in question.</param>
/// <param name="Message">What went wrong, or empty.</param>
/// <param name="DownloadBytes">Bytes that installing it would fetch, where that was asked.</param>
/// <param name="Notes">What its publisher says is new in it, or null.</param>
internal sealed record LastCheck(DateTimeOffset At, string Verdict, string? Version, string Message, long? DownloadBytes = null, string? Notes = null)
{
    /// <summary>Characters of the notes that are kept: a page of text, and a line of the worker has room for it.</summary>
    public const int LongestNotes = 8 << 10;

    /// <summary>The same with what an earlier look found out about the same version, and this one did not ask.</summary>
    public LastCheck After(LastCheck? before) =>
        before is not null && before.Version == Version && Verdict == before.Verdict ? this with { DownloadBytes = DownloadBytes ?? before.DownloadBytes, Notes = Notes ?? before.Notes } : this;

    /// <summary>The same as it reads now: since the look the version may have come to run, or failed, or been cleared.</summary>
    public LastCheck Now(string running, IReadOnlyList<FailedVersion> failed) => Verdict is not ("available" or "failedBefore")
        ? this
        : this with { Verdict = Version == running ? "upToDate" : failed.Any(other => other.Version == Version) ? "failedBefore" : "available" };

    /// <summary>Notes as they are kept: their beginning when they are longer, without controls that a terminal would obey.</summary>
    public static string? Kept(string? notes)
    {
        if (string.IsNullOrWhiteSpace(notes)) return null;
        var plain = string.Concat(notes.ReplaceLineEndings("\n").Where(character => character is '\n' or '\t' || !char.IsControl(character))).Trim();
        if (plain.Length <= LongestNotes) return plain;
        var end = LongestNotes - 1;
        if (char.IsHighSurrogate(plain[end - 1])) end--;
        return plain[..end] + '…';
    }
}
