# To be run by PowerShell: @BIN@/Activate.ps1

function global:deactivate ([switch]$Keep) {
    if (Test-Path variable:global:_OldEnvironmentPath) {
        $env:PATH = $global:_OldEnvironmentPath
        Remove-Variable -Scope global _OldEnvironmentPath
    }
    if (Test-Path variable:global:_OldEnvironmentHome) {
        $env:PYTHONHOME = $global:_OldEnvironmentHome
        Remove-Variable -Scope global _OldEnvironmentHome
    }
    if (Test-Path function:global:_OldEnvironmentPrompt) {
        Copy-Item function:global:_OldEnvironmentPrompt function:global:prompt
        Remove-Item function:global:_OldEnvironmentPrompt
    }
    Remove-Item env:VIRTUAL_ENV, env:VIRTUAL_ENV_PROMPT -ErrorAction SilentlyContinue
    if (-not $Keep) {
        Remove-Item function:global:deactivate
    }
}

deactivate -Keep

$env:VIRTUAL_ENV = Split-Path -Parent $PSScriptRoot
$env:VIRTUAL_ENV_PROMPT = '@PROMPT@'
$global:_OldEnvironmentPath = $env:PATH
$env:PATH = $PSScriptRoot + [System.IO.Path]::PathSeparator + $env:PATH
if (Test-Path env:PYTHONHOME) {
    $global:_OldEnvironmentHome = $env:PYTHONHOME
    Remove-Item env:PYTHONHOME
}
if (-not $env:VIRTUAL_ENV_DISABLE_PROMPT) {
    Copy-Item function:prompt function:global:_OldEnvironmentPrompt
    function global:prompt {
        Write-Host -NoNewline "($env:VIRTUAL_ENV_PROMPT) "
        _OldEnvironmentPrompt
    }
}
