using Appliance.ImageBuilder.Pipeline;

namespace UpdateClient.Tests.Install;

/// <summary>Remembers the stages of a publication.</summary>
internal sealed class TestObserver : IBuildObserver
{
    public List<string> Stages { get; } = [];

    public void Started(string stage) => Stages.Add(stage);

    public void Output(string stage, string line)
    {
    }

    public void Progress(string stage, long done, long total)
    {
    }

    public void Finished(string stage, TimeSpan duration, bool cached)
    {
    }

    public void Failed(string stage, TimeSpan duration)
    {
    }

    public void Warning(string message)
    {
    }
}
