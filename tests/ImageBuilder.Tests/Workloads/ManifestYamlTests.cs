using Appliance.Core;
using Appliance.ImageBuilder.Workloads;

namespace ImageBuilder.Tests.Workloads;

public sealed class ManifestYamlTests
{
    private static string Json(string yaml) => Assert.Single(ManifestYaml.Read("x.yaml", yaml)).Value.ToJsonString();

    private static string Refusal(string yaml) => Assert.Throws<UserError>(() => ManifestYaml.Read("x.yaml", yaml)).ToString();

    [Theory]
    [InlineData("a: text", """{"a":"text"}""")]
    [InlineData("a: 'yes'", """{"a":"yes"}""")]
    [InlineData("a: \"0644\"", """{"a":"0644"}""")]
    [InlineData("a: !!str 12", """{"a":"12"}""")]
    [InlineData("a: 12", """{"a":12}""")]
    [InlineData("a: -7", """{"a":-7}""")]
    [InlineData("a: 0", """{"a":0}""")]
    [InlineData("a: 0644", """{"a":420}""")]
    [InlineData("a: 0o644", """{"a":420}""")]
    [InlineData("a: 0.5", """{"a":0.5}""")]
    [InlineData("a: true", """{"a":true}""")]
    [InlineData("a: False", """{"a":false}""")]
    [InlineData("a:", """{"a":null}""")]
    [InlineData("a: ~", """{"a":null}""")]
    [InlineData("a: 10.0.0.1", """{"a":"10.0.0.1"}""")]
    [InlineData("a: 500m", """{"a":"500m"}""")]
    [InlineData("a: 1Gi", """{"a":"1Gi"}""")]
    [InlineData("a: 12:30:45", """{"a":"12:30:45"}""")]
    [InlineData("a: 2026-11-01", """{"a":"2026-11-01"}""")]
    [InlineData("a: |\n  one\n  two\n", """{"a":"one\ntwo\n"}""")]
    [InlineData("8080: x", """{"8080":"x"}""")]
    [InlineData("a: [1, {b: c}]", """{"a":[1,{"b":"c"}]}""")]
    [InlineData("a: {}\nb: []", """{"a":{},"b":[]}""")]
    [InlineData("x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}", """{"x":{"a":1,"b":2},"z":{"b":3,"a":1}}""")]
    [InlineData("x: &x [1]\nz: *x", """{"x":[1],"z":[1]}""")]
    [InlineData("""{"a": {"b": 1.5}}""", """{"a":{"b":1.5}}""")]
    public void Read_AsKubernetesDoes(string yaml, string json) => Assert.Equal(json, Json(yaml));

    [Theory]
    [InlineData("a: yes", "x.yaml:1:4: a: yes is true or false to some readers")]
    [InlineData("a: {b: [off]}", "x.yaml:1:9: a.b[0]: off is true or false")]
    [InlineData("on: 1", "the key on is true or false to some readers; write \"on\"")]
    [InlineData("a: 1e3", "1e3 is a number to some readers")]
    [InlineData("a: 1_000", "1_000 is a number to some readers")]
    [InlineData("a: 0899", "0899 is a number to some readers")]
    [InlineData("a: 0x1F", "0x1F is a number to some readers")]
    [InlineData("a: .inf", ".inf is a number to some readers")]
    [InlineData("a: 1.", "1. is a number to some readers")]
    [InlineData("a: 99999999999999999999", "too large a number")]
    [InlineData("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not supported")]
    [InlineData("a: 1\na: 2", "x.yaml:2:")]
    [InlineData("- a", "a Kubernetes object is a mapping")]
    [InlineData("[a]: b", "a key is a text")]
    [InlineData("a: {{ .Values.x }}", "helm template")]
    [InlineData("a: 'open", "this is not valid YAML")]
    public void Read_WhatIsAmbiguousOrWrong_SaysWhere(string yaml, string error) => Assert.Contains(error, Refusal(yaml), StringComparison.Ordinal);

    [Fact]
    public void Read_SeveralDocuments_GivesEach_AndLeavesOutEmptyOnes()
    {
        var documents = ManifestYaml.Read("x.yaml", "# a comment\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n");

        Assert.Equal(["""{"a":1}""", """{"b":2}"""], documents.Select(document => document.Value.ToJsonString()));
        Assert.Equal([3, 8], documents.Select(document => document.Line));
    }

    [Fact]
    public void Read_ABombOfAliases_IsRefused()
    {
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(0, 8).Select(i => $"{(char)('b' + i)}: &{(char)('b' + i)} [{string.Join(',', Enumerable.Repeat($"*{(char)('a' + i)}", 9))}]\n"));

        Assert.Contains("aliases written out", Refusal(bomb), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AnEndlessOrDeepDocument_IsRefused()
    {
        Assert.Contains("nested too deep", Refusal("a: &a [*a]"), StringComparison.Ordinal);
        Assert.Contains("nested too deep", Refusal("a: &a {<<: *a}"), StringComparison.Ordinal);
        Assert.Contains("nested too deep", Refusal("a: " + new string('[', 100) + new string(']', 100)), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_DamagedFiles_GivesAValueOrOneError()
    {
        const string sound = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: &l {app: web}}\nspec:\n  replicas: 2\n  selector: {matchLabels: *l}\n  template:\n    spec:\n      containers:\n        - name: web\n          image: 'web:1'\n          args: [\"-x\", |\n            text\n          ]\n";
        var random = new Random(7);
        for (var round = 0; round < 3000; round++)
        {
            var text = sound.ToCharArray();
            for (var change = random.Next(1, 5); change > 0; change--) text[random.Next(text.Length)] = (char)random.Next(9, 127);
            try
            {
                ManifestYaml.Read("x.yaml", new string(text));
            }
            catch (UserError e)
            {
                Assert.StartsWith("x.yaml", e.Message, StringComparison.Ordinal);
            }
        }
    }
}
