using System.Text;
using Appliance.UpdateClient.Install;
using FsCheck;
using FsCheck.Fluent;

namespace UpdateClient.Tests.Install;

public sealed class JournalTests
{
    private static readonly string Example = $$"""{"format":1,"bundle":"{{new string('a', 64)}}","version":"1.1","target":"/dev/x@0"}""";

    [Fact]
    public void Parse_WhatWasWritten_GivesItBack()
    {
        using var folder = new Temporary();
        var journal = InstallJournal.TryParse(Encoding.UTF8.GetBytes(Example))!;

        journal.Write(folder.Path);

        Assert.Equal(journal, InstallJournal.TryRead(folder.Path));
        Assert.Equal("1.1", journal.Version);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"format":2}""")]
    [InlineData("""{"format":1,"bundle":null,"version":null,"target":null}""")]
    [InlineData("""{"format":1,"bundle":"x","version":"1.1","target":""}""")]
    [InlineData("""{"format":1,"format":1,"bundle":"x","version":"1.1","target":""}""")]
    public void Parse_Anything_IsNoJournal(string text) => Assert.Null(InstallJournal.TryParse(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Parse_AnyDamage_NeverThrows()
    {
        var original = Encoding.UTF8.GetBytes(Example);
        var edit = Gen.Choose(0, original.Length - 1).SelectMany(_ => Gen.Choose(0, 255), (at, value) => (at, (byte)value));
        Prop.ForAll(edit.ListOf().ToArbitrary(), edits =>
        {
            var bytes = original.ToArray();
            foreach (var (at, value) in edits) bytes[at] = value;
            InstallJournal.TryParse(bytes);
            InstallJournal.TryParse(bytes[..(edits.Count > 0 ? edits[0].at : 0)]);
        }).QuickCheckThrowOnFailure();
    }

    private sealed class Temporary : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("journal");

        public string Path => _folder.FullName;

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
