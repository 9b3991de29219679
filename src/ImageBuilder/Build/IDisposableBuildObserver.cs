using Appliance.ImageBuilder.Pipeline;

namespace Appliance.ImageBuilder.Build;

/// <summary>An observer that has something to tidy up when the build ends.</summary>
internal interface IDisposableBuildObserver : IBuildObserver, IDisposable;
