namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Sees a build happen: a terminal, a log or a machine. Called from several threads, one call at a time.</summary>
internal interface IBuildObserver
{
    /// <summary>A stage began to work.</summary>
    void Started(string stage);

    /// <summary>A running stage printed a line.</summary>
    void Output(string stage, string line);

    /// <summary>A running stage got on: bytes done of a total (0 when unknown).</summary>
    void Progress(string stage, long done, long total);

    /// <summary>A stage ended well; <paramref name="cached"/> when its result was there already.</summary>
    void Finished(string stage, TimeSpan duration, bool cached);

    /// <summary>A stage ended badly or was cancelled.</summary>
    void Failed(string stage, TimeSpan duration);

    /// <summary>Something the person must know although the build goes on.</summary>
    void Warning(string message);
}
