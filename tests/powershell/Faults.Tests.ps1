# A failure at every changing and every reading call of a run and of -Undo, before and after its effect.

BeforeDiscovery {
    $script:Moments = @(foreach ($when in 'before', 'after') { foreach ($file in $true, $false) { @{ when = $when; file = $file } } })
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Windows.psm1') -Global -Force -DisableNameChecking
    $script:Key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0m0V2s6bQ3vX1m8m7yRk9b0kqQ3q3m0f3r8m9b0kqQ kim@master'
    $script:Worker = @{ MasterIP = '192.168.1.100'; ClusterIPs = '192.168.1.102'; PublicKey = $Key }

    function Start-Machine {
        $folder = Join-Path ([string](Microsoft.PowerShell.Management\Get-Item TestDrive:\).FullName) ([guid]::NewGuid().ToString('N'))
        [IO.Directory]::CreateDirectory($folder) | Out-Null
        New-Windows -Folder $folder
        Get-SimSnapshot
    }

    function Get-Difference($Before) {
        (Compare-Object $Before (Get-SimSnapshot) | ForEach-Object { "$($_.SideIndicator) $($_.InputObject)" }) -join "`n"
    }

    # What each run looks like without a failure: how many calls there are to fail at.
    $null = Start-Machine
    $script:Run = @((Invoke-Setup -With $Worker).calls)
    $script:Undo = @((Invoke-Setup -With @{ Undo = $true }).calls)
}

Describe 'a failure at each call' -Tag 'full' {
    It 'of a run: nothing is open, the next run ends well, -Undo is exact (<when>, -File <file>)' -ForEach $Moments {
        $wrong = @()
        for ($at = 1; $at -le $Run.Count; $at++) {
            $before = Start-Machine
            $Windows.fail = @{ at = $at; when = $when }
            $run = Invoke-Setup -With $Worker -AsFile:$file
            $name = "call $at, $($Run[$at - 1])"
            if ($run.open -or $run.exposed) { $wrong += "${name}: open: $($run.open) $($run.exposed)" }
            $Windows.fail = $null
            $again = Invoke-Setup -With $Worker -AsFile:$file
            if ($again.status -ne 0) { $wrong += "${name}: the next run: $($again.thrown) $($again.text)" }
            $undone = Invoke-Setup -With @{ Undo = $true } -AsFile:$file
            if ($undone.thrown) { $wrong += "${name}: undo: $($undone.thrown)" }
            if ($difference = Get-Difference $before) { $wrong += "${name}: $difference" }
        }
        $wrong -join "`n" | Should -BeNullOrEmpty
    }
    It 'of -Undo: the next one is exact (<when>, -File <file>)' -ForEach $Moments {
        $wrong = @()
        for ($at = 1; $at -le $Undo.Count; $at++) {
            $before = Start-Machine
            $null = Invoke-Setup -With $Worker -AsFile:$file
            $Windows.fail = @{ at = $at; when = $when }
            $null = Invoke-Setup -With @{ Undo = $true } -AsFile:$file
            $Windows.fail = $null
            $undone = Invoke-Setup -With @{ Undo = $true } -AsFile:$file
            $name = "call $at, $($Undo[$at - 1])"
            if ($undone.thrown) { $wrong += "${name}: $($undone.thrown)" }
            if ($difference = Get-Difference $before) { $wrong += "${name}: $difference" }
        }
        $wrong -join "`n" | Should -BeNullOrEmpty
    }
}
